//! The only place that sends to an actor of `engine/` and `members/`.
//!
//! actix's own bounds do not hold: `do_send` and `send` ignore a mailbox's capacity, and `try_send` bounds only per
//! cloned sender. So this module counts what waits. [`Mailbox::offer`] refuses a message when the mailbox is full.
//! [`Mailbox::deliver`] is for messages that must not be lost, such as the end of a connection. They have another
//! bound: one per connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use actix::{Addr, Handler, Message, Recipient};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;

use super::EngineError;
use crate::metrics::Metrics;

/// A message on its way. It counts as waiting until it is handled or dropped.
pub struct Counted<M> {
    /// The message.
    pub content: M,
    _permit: Permit,
}

impl<M: Send + 'static> Message for Counted<M> {
    type Result = ();
}

/// A place in a mailbox.
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

/// The counted and bounded way to one actor. It names the messages, not the actor, so that two actors can hold the mailbox
/// of each other. Cheap to clone.
pub struct Mailbox<M: Send + 'static> {
    actor: Recipient<Counted<M>>,
    bound: usize,
    waiting: Arc<AtomicUsize>,
    gauge: Gauge,
    refused: Counter,
}

impl<M: Send + 'static> Clone for Mailbox<M> {
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

impl<M: Send + 'static> Mailbox<M> {
    /// A mailbox that holds at most `bound` offered messages.
    pub(super) fn new(actor: Recipient<Counted<M>>, bound: usize, metrics: &Metrics) -> Self {
        let metrics = metrics.engine();
        Self {
            actor,
            bound,
            waiting: Arc::default(),
            gauge: metrics.mailbox.clone(),
            refused: metrics.mailbox_refused.clone(),
        }
    }

    /// Sends a message. When the mailbox is full, drops it and returns [`EngineError::Busy`].
    pub fn offer(&self, content: M) -> Result<(), EngineError> {
        if self.waiting.load(Ordering::Relaxed) >= self.bound {
            self.refused.inc();
            return Err(EngineError::Busy);
        }
        self.deliver(content);
        Ok(())
    }

    /// Sends a message even when the mailbox is full.
    pub fn deliver(&self, content: M) {
        send_to(&self.actor, Counted { content, _permit: Permit::take(&self.waiting, &self.gauge) });
    }
}

/// Sends to an actor by its message type. The caller bounds what waits: see [`Mailbox`]; each connection has one command under way.
#[expect(clippy::disallowed_methods, reason = "one of the two places that send; bounded as said above")]
pub(super) fn send_to<M>(actor: &Recipient<M>, message: M)
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    actor.do_send(message);
}

/// Sends to a user actor. Each session has one command under way, so the number of connections bounds what waits.
#[expect(clippy::disallowed_methods, reason = "one of the two places that send; bounded as said above")]
pub(super) fn send<A, M>(actor: &Addr<A>, message: M)
where
    M: Message + Send,
    M::Result: Send,
    A: Handler<M>,
    A::Context: actix::dev::ToEnvelope<A, M>,
{
    actor.do_send(message);
}
