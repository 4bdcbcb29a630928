//! A partition of the users on a thread of its own, so that stopping the HTTP server does not end it.

use actix::{Actor, Arbiter, AsyncContext, Context, Handler};

use super::mailbox::{Counted, Mailbox};
use super::messages::ToShard;
use super::supervisor::Supervisor;
use super::{Ports, WeakEngine};
use crate::clock::Clock;
use crate::metrics::Metrics;

/// Maximum number of messages that wait for an actor of a shard. A session sends one command at a time, so only far
/// more connections than this that ask at once reach it. A command is then refused ("the server is busy").
const MAILBOX_BOUND: usize = 262_144;

/// One thread and its actors.
pub struct Shard {
    arbiter: Arbiter,
    supervisor: Mailbox<ToShard>,
    metrics: Metrics,
}

impl Shard {
    /// Starts the thread and its supervisor.
    pub fn start(max_users: usize, ports: Ports, engine: WeakEngine, clock: &Clock, metrics: &Metrics) -> Self {
        let arbiter = Arbiter::new();
        let (clock, supervisor_metrics) = (clock.clone(), metrics.clone());
        let supervisor = start(&arbiter, metrics, move |own| {
            Supervisor::new(own, max_users, ports, engine, clock, supervisor_metrics)
        });
        Self { arbiter, supervisor, metrics: metrics.clone() }
    }

    /// Starts another actor on the thread. `build` gets the actor's own mailbox.
    pub fn start_actor<A, M>(&self, build: impl FnOnce(Mailbox<M>) -> A + Send + 'static) -> Mailbox<M>
    where
        A: Actor<Context = Context<A>> + Handler<Counted<M>>,
        M: Send + 'static,
    {
        start(&self.arbiter, &self.metrics, build)
    }

    /// The mailbox of the supervisor.
    pub fn supervisor(&self) -> &Mailbox<ToShard> {
        &self.supervisor
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.arbiter.stop();
    }
}

fn start<A, M>(arbiter: &Arbiter, metrics: &Metrics, build: impl FnOnce(Mailbox<M>) -> A + Send + 'static) -> Mailbox<M>
where
    A: Actor<Context = Context<A>> + Handler<Counted<M>>,
    M: Send + 'static,
{
    let own_metrics = metrics.clone();
    let actor = A::start_in_arbiter(&arbiter.handle(), move |context: &mut Context<A>| {
        build(Mailbox::new(context.address().recipient(), MAILBOX_BOUND, &own_metrics))
    });
    Mailbox::new(actor.recipient(), MAILBOX_BOUND, metrics)
}
