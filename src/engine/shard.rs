//! A partition of the users, on a thread of its own, so that a stop of the HTTP server does not end it.

use actix::{Actor, Arbiter, AsyncContext, Context};

use super::mailbox::Mailbox;
use super::supervisor::Supervisor;
use super::{Ports, WeakEngine};
use crate::clock::Clock;
use crate::metrics::Metrics;

/// Messages that may wait for a supervisor. Sessions send one command at a time, so this is reached only when far more
/// connections than that ask at once; a command is refused then ("the server is busy").
const MAILBOX_BOUND: usize = 262_144;

/// One thread and its supervisor.
pub struct Shard {
    arbiter: Arbiter,
    supervisor: Mailbox<Supervisor>,
}

impl Shard {
    /// Starts the thread and the supervisor on it.
    pub fn start(max_users: usize, ports: Ports, engine: WeakEngine, clock: &Clock, metrics: &Metrics) -> Self {
        let arbiter = Arbiter::new();
        let (clock, metrics) = (clock.clone(), metrics.clone());
        let counted = metrics.clone();
        let actor = Supervisor::start_in_arbiter(&arbiter.handle(), move |context: &mut Context<Supervisor>| {
            let own = Mailbox::new(context.address(), MAILBOX_BOUND, &metrics);
            Supervisor::new(own, max_users, ports, engine, clock, metrics)
        });
        Self { arbiter, supervisor: Mailbox::new(actor, MAILBOX_BOUND, &counted) }
    }

    /// The way to its supervisor.
    pub fn supervisor(&self) -> &Mailbox<Supervisor> {
        &self.supervisor
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.arbiter.stop();
    }
}
