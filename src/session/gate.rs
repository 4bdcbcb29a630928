//! Holds a client's input back while a command is under way.
//!
//! actix-web-actors reads on as long as the client sends. Closed, the gate lets nothing more through: the bytes stay in
//! the kernel and the client feels it. What is past the gate already is one read of the HTTP server and one message, so
//! the commands that wait in a session are bounded.

use std::cell::{Cell, RefCell};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_util::Stream;

/// The session's end: opens and closes.
#[derive(Clone, Debug, Default)]
pub struct Gate(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    closed: Cell<bool>,
    reader: RefCell<Option<Waker>>,
}

impl Gate {
    /// Opens or closes the gate; opening wakes the reader.
    pub fn set_closed(&self, closed: bool) {
        if self.0.closed.replace(closed)
            && !closed
            && let Some(reader) = self.0.reader.take()
        {
            reader.wake();
        }
    }

    /// `stream`, as far as the gate lets it through.
    pub fn guard<S>(&self, stream: S) -> Gated<S> {
        Gated { gate: self.clone(), stream }
    }
}

/// A stream behind a gate.
#[derive(Debug)]
pub struct Gated<S> {
    gate: Gate,
    stream: S,
}

impl<S: Stream + Unpin> Stream for Gated<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<S::Item>> {
        if self.gate.0.closed.get() {
            *self.gate.0.reader.borrow_mut() = Some(context.waker().clone());
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_next(context)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt, stream};

    use super::*;

    #[test]
    fn a_closed_gate_lets_nothing_through_and_an_open_one_everything() {
        let gate = Gate::default();
        let mut guarded = gate.guard(stream::iter([1, 2, 3]));
        assert_eq!(guarded.next().now_or_never(), Some(Some(1)));
        gate.set_closed(true);
        assert_eq!(guarded.next().now_or_never(), None);
        gate.set_closed(false);
        assert_eq!(guarded.next().now_or_never(), Some(Some(2)));
    }
}
