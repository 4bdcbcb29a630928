//! The response body of a session: what waits in its outbox, and the actor behind it.
//!
//! The outbox wakes the connection's task itself and the frames go straight to the socket; the actor is told only what it
//! has something to decide on. Frames that wait leave together, in one write.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix::Addr;
use actix_web::web::{Bytes, BytesMut};
use futures_util::Stream;

use super::actor::{SessionActor, Wake};
use crate::outbox::{Address, Frame};

/// Bytes written at once: many frames share a write, and no connection keeps a large buffer after a burst.
const WRITE_BYTES: usize = 8 * 1024;

/// A session's way out.
pub struct Output<S> {
    address: Address,
    session: Addr<SessionActor>,
    /// Runs the actor as it is polled; says nothing by itself.
    actor: S,
    /// The outbox was empty after the last bytes.
    emptied: bool,
    /// The actor has stopped.
    stopped: bool,
}

impl<S> Output<S> {
    /// The body of a session that `actor` runs.
    pub fn new(address: Address, session: Addr<SessionActor>, actor: S) -> Self {
        Self { address, session, actor, emptied: false, stopped: false }
    }

    /// What waits, up to a write's worth; tells the actor what concerns it.
    fn drain(&mut self) -> Option<Bytes> {
        let mut gathered = Gathered::default();
        let drained = self.address.drain(WRITE_BYTES, |frame| gathered.add(frame));
        self.emptied = !drained.more;
        if drained.has_news() {
            #[expect(clippy::disallowed_methods, reason = "handled right after, by this very task")]
            self.session.do_send(Wake(drained));
        }
        gathered.into_bytes()
    }
}

impl<S, E> Stream for Output<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
{
    type Item = Result<Bytes, E>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            // After the last bytes there is nothing to look for before the actor has run.
            if !std::mem::take(&mut self.emptied)
                && let Some(bytes) = self.drain()
            {
                return Poll::Ready(Some(Ok(bytes)));
            }
            self.emptied = false;
            if self.stopped {
                return Poll::Ready(None);
            }
            match Pin::new(&mut self.actor).poll_next(context) {
                Poll::Ready(Some(bytes)) => return Poll::Ready(Some(bytes)),
                Poll::Ready(None) => self.stopped = true,
                Poll::Pending if self.address.rest(context.waker()) => return Poll::Pending,
                Poll::Pending => {}
            }
        }
    }
}

/// Frames on their way into one write. A single one is not copied.
#[derive(Default)]
struct Gathered {
    first: Option<Bytes>,
    all: BytesMut,
}

impl Gathered {
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
