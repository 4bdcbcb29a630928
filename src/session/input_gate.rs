//! Holds a client's input back while a command is under way.
//!
//! Closed, the gate lets nothing more through: the bytes stay in the kernel and the client feels it. What comes while a
//! command is under way is one more, which waits and closes the gate.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::task::{Context, Waker};

/// Shared by the session, which opens and closes it, and its input.
#[derive(Clone, Debug, Default)]
pub struct InputGate(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    closed: Cell<bool>,
    reader: RefCell<Option<Waker>>,
}

impl InputGate {
    /// Opens or closes the gate; opening wakes the reader.
    pub fn set_closed(&self, closed: bool) {
        if self.0.closed.replace(closed)
            && !closed
            && let Some(reader) = self.0.reader.take()
        {
            reader.wake();
        }
    }

    /// Whether it is closed; then the reader is woken when it opens.
    pub fn is_closed(&self, reader: &Context<'_>) -> bool {
        let closed = self.0.closed.get();
        if closed {
            *self.0.reader.borrow_mut() = Some(reader.waker().clone());
        }
        closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_it_was_set_to() {
        let input_gate = InputGate::default();
        let reader = Context::from_waker(Waker::noop());
        assert!(!input_gate.is_closed(&reader));
        input_gate.set_closed(true);
        assert!(input_gate.is_closed(&reader));
        input_gate.set_closed(false);
        assert!(!input_gate.is_closed(&reader));
    }
}
