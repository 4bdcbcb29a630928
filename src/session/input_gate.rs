//! Read back-pressure: the session reads no input while a message waits for the command in flight.
//!
//! While the gate is closed, the bytes stay in the kernel, which slows the client down. The first message that comes while
//! a command is in flight waits in the session and closes the gate. The [`input`](super::input) asks the gate.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// A gate that the session opens and closes, shared with its input.
#[derive(Clone, Debug, Default)]
pub struct InputGate(Rc<GateState>);

#[derive(Debug, Default)]
struct GateState {
    closed: Cell<bool>,
    /// Wakes the input that waits for the gate to open.
    reader: RefCell<Option<Waker>>,
}

impl InputGate {
    /// Closes the gate: the input reads nothing more.
    pub fn close(&self) {
        self.0.closed.set(true);
    }

    /// Opens the gate and wakes the input that waits for it.
    pub fn open(&self) {
        if self.0.closed.replace(false)
            && let Some(reader) = self.0.reader.take()
        {
            reader.wake();
        }
    }

    /// Returns `Ready` if the gate is open. Otherwise wakes the reader when it opens.
    pub fn poll_open(&self, reader: &Context<'_>) -> Poll<()> {
        if !self.0.closed.get() {
            return Poll::Ready(());
        }
        *self.0.reader.borrow_mut() = Some(reader.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gate_is_open_until_it_is_closed_and_opens_again() {
        let input_gate = InputGate::default();
        let reader = Context::from_waker(Waker::noop());
        assert!(input_gate.poll_open(&reader).is_ready());
        input_gate.close();
        assert!(input_gate.poll_open(&reader).is_pending());
        input_gate.open();
        assert!(input_gate.poll_open(&reader).is_ready());
    }
}
