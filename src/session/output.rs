//! The response body of a session: drains its outbox into the socket and runs its actor.
//!
//! The outbox wakes the connection's task itself and the frames go straight to the socket: if there is nothing to decide,
//! the actor does not run. Frames that wait leave together, in one write. What the client sends is in [`input`](super::input).

use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};

use actix::Addr;
use actix_web::web::{Bytes, BytesMut};
use futures_util::Stream;

use super::actor::{SessionActor, Wake};
use crate::outbox::{Frame, OutboxReceiver};

/// Maximum number of bytes in one write. Many frames share a write, and no connection keeps a large buffer after a burst.
const WRITE_BYTES: usize = 16 * 1024;

/// The stream of bytes that a session sends.
pub struct Output<S> {
    outbox: OutboxReceiver,
    session: Addr<SessionActor>,
    /// Runs the actor when it is polled. Yields no bytes of its own.
    actor: S,
    /// Wakes only the actor: for its socket, its mailbox, its futures.
    waker: Waker,
    /// The actor has to run.
    actor_ready: bool,
    /// The actor has stopped.
    stopped: bool,
}

impl<S> Output<S> {
    /// Returns the body of a session that `actor` runs.
    pub fn new(outbox: OutboxReceiver, session: Addr<SessionActor>, actor: S) -> Self {
        let waker = outbox.actor_waker();
        Self { outbox, session, actor, waker, actor_ready: true, stopped: false }
    }

    /// Returns what waits, up to one write, and passes news to the actor. `Pending` means that there is nothing to do.
    fn drain(&mut self, waker: &Waker) -> Poll<Option<Bytes>> {
        let mut buffer = WriteBuffer::default();
        let add = |frame| buffer.add(frame);
        let drained = if self.actor_ready || self.stopped {
            self.outbox.drain(WRITE_BYTES, add)
        } else {
            ready!(self.outbox.poll_drain(waker, WRITE_BYTES, add))
        };
        self.actor_ready |= drained.actor_ready;
        if drained.has_news() {
            self.actor_ready = true;
            #[expect(clippy::disallowed_methods, reason = "this task handles the message right after")]
            self.session.do_send(Wake(drained));
        }
        Poll::Ready(buffer.into_bytes())
    }
}

impl<S, E> Stream for Output<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    type Item = Result<Bytes, E>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(bytes) = ready!(self.drain(context.waker())) {
                return Poll::Ready(Some(Ok(bytes)));
            }
            if self.stopped {
                return Poll::Ready(None);
            }
            if std::mem::take(&mut self.actor_ready) {
                let Self { actor, waker, stopped, .. } = &mut *self;
                match Pin::new(actor).poll_next(&mut Context::from_waker(waker)) {
                    Poll::Ready(Some(bytes)) => return Poll::Ready(Some(bytes)),
                    Poll::Ready(None) => *stopped = true,
                    Poll::Pending => {}
                }
            }
        }
    }
}

/// Collects frames for one write. A single frame is not copied.
#[derive(Default)]
struct WriteBuffer {
    first: Option<Bytes>,
    all: BytesMut,
}

impl WriteBuffer {
    fn add(&mut self, frame: Frame) {
        match &self.first {
            None => self.first = Some(frame.into_wire()),
            Some(first) => {
                if self.all.is_empty() {
                    self.all.reserve(WRITE_BYTES);
                    self.all.extend_from_slice(first);
                }
                self.all.extend_from_slice(frame.wire());
            }
        }
    }

    fn into_bytes(self) -> Option<Bytes> {
        if self.all.is_empty() { self.first } else { Some(self.all.freeze()) }
    }
}
