//! The only place that sends to an actor of the engine.
//!
//! actix's own bounds do not hold: `do_send` and `send` ignore a mailbox's capacity, `try_send` bounds only per cloned
//! sender. So what waits is counted here. [`Mailbox::offer`] refuses when the mailbox is full; [`Mailbox::deliver`] is
//! for what must not be lost (a connection that ended) and is bounded otherwise: once per connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix::{Actor, Addr, Handler, Message};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::EngineError;
use crate::metrics::Metrics;

/// A message on its way; counted until it is handled or dropped.
pub struct Counted<M> {
    /// What is in it.
    pub content: M,
    _place: Permit,
}

impl<M: Send + 'static> Message for Counted<M> {
    type Result = ();
}

struct Permit {
    waiting: Arc<AtomicUsize>,
    gauge: Gauge,
}

impl Permit {
    fn take(waiting: &Arc<AtomicUsize>, gauge: &Gauge) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        gauge.inc();
        Self { waiting: waiting.clone(), gauge: gauge.clone() }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
        self.gauge.dec();
    }
}

/// The counted way to one actor.
pub struct Mailbox<A: Actor> {
    actor: Addr<A>,
    bound: usize,
    waiting: Arc<AtomicUsize>,
    gauge: Gauge,
    refused: Counter,
}

impl<A: Actor> Clone for Mailbox<A> {
    fn clone(&self) -> Self {
        Self {
            actor: self.actor.clone(),
            bound: self.bound,
            waiting: self.waiting.clone(),
            gauge: self.gauge.clone(),
            refused: self.refused.clone(),
        }
    }
}

impl<A: Actor> Mailbox<A> {
    /// A mailbox in which at most `bound` messages wait.
    pub fn new(actor: Addr<A>, bound: usize, metrics: &Metrics) -> Self {
        let metrics = metrics.engine();
        Self {
            actor,
            bound,
            waiting: Arc::default(),
            gauge: metrics.mailbox.clone(),
            refused: metrics.mailbox_refused.clone(),
        }
    }

    /// Sends, or refuses and drops the message when the mailbox is full.
    pub fn offer<M>(&self, content: M) -> Result<(), EngineError>
    where
        M: Send + 'static,
        A: Handler<Counted<M>>,
        A::Context: actix::dev::ToEnvelope<A, Counted<M>>,
    {
        if self.waiting.load(Ordering::Relaxed) >= self.bound {
            self.refused.inc();
            return Err(EngineError::Busy);
        }
        self.deliver(content);
        Ok(())
    }

    /// Sends whatever waits.
    pub fn deliver<M>(&self, content: M)
    where
        M: Send + 'static,
        A: Handler<Counted<M>>,
        A::Context: actix::dev::ToEnvelope<A, Counted<M>>,
    {
        send(&self.actor, Counted { content, _place: Permit::take(&self.waiting, &self.gauge) });
    }
}

/// Sends to a user actor. Each session has one command under way at a time, so what waits for a user is bounded by the
/// connections there are.
#[expect(clippy::disallowed_methods, reason = "the one place that sends; bounded as said above")]
pub fn send<A, M>(actor: &Addr<A>, message: M)
where
    M: Message + Send,
    M::Result: Send,
    A: Handler<M>,
    A::Context: actix::dev::ToEnvelope<A, M>,
{
    actor.do_send(message);
}
