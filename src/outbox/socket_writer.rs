//! Which of the two writers may write to a client's socket, and how the turn passes between them.
//!
//! The session writes what it took from the outbox, outside the lock and in as many parts as the socket accepts. A thread
//! that delivers a change may write that change itself, under the lock, while the session is at rest. The bytes of the two
//! must not mix inside a frame, the order of the outbox must hold, and no wake may be lost.
//!
//! * [`SocketWriter`] is the content of the lock: what waits, the socket, and the turn. The session has the turn
//!   from the moment somebody wakes it until it finds nothing to do. It looks for more only after it has written all that
//!   it took (`http::upgrade` polls the response body only then).
//! * [`DirectWrite`] is the only way to the socket for everybody but the session. It exists only while the session is at
//!   rest and nothing waits. It borrows the content of the lock, so neither can change as long as it exists.
//! * [`SharedWriter`] is the lock. A change that leaves work takes the turn for a session at rest and wakes it, once.
//!
//! The module is generic over lock and socket: `tests/interleaving.rs` runs all interleavings of two senders and one
//! session over it.

use std::io;
use std::ops::DerefMut;
use std::task::{Poll, Waker};

use parking_lot::Mutex;

use super::frame::Frame;

/// What waits for the session.
pub(super) trait Backlog {
    /// Returns whether the session has anything to do.
    fn has_work(&self) -> bool;

    /// Queues a frame behind everything that waits.
    fn push(&mut self, frame: Frame);
}

/// The sending half of a non-blocking socket.
pub(super) trait DirectSend {
    /// Sends as many bytes as the socket accepts, and returns how many. Fails if it accepts none. Never waits.
    fn send(&self, bytes: &[u8]) -> io::Result<usize>;
}

/// A mutex.
pub(super) trait Lock {
    type Content;

    /// Waits for the lock.
    fn lock(&self) -> impl DerefMut<Target = Self::Content>;
}

impl<T> Lock for Mutex<T> {
    type Content = T;

    fn lock(&self) -> impl DerefMut<Target = T> {
        Self::lock(self)
    }
}

/// The turn to write.
enum Turn {
    /// The session writes: it is looking into the outbox, writing what it took, or being woken to do so.
    SessionWrites,
    /// The session is at rest, and has written all that it took. The waker wakes it.
    Idle(Waker),
}

/// What waits for the session, and the way to the socket.
pub(super) struct SocketWriter<B, S> {
    /// What waits.
    pub backlog: B,
    /// The socket; `None` if only the session can write to it.
    socket: Option<S>,
    turn: Turn,
}

impl<B: Backlog, S> SocketWriter<B, S> {
    /// Returns the writer of a session that has not run yet: the turn is the session's.
    pub(super) fn new(backlog: B) -> Self {
        Self { backlog, socket: None, turn: Turn::SessionWrites }
    }

    /// Sets the socket. From here on, only the session and [`DirectWrite`] may write to it.
    pub(super) fn set_socket(&mut self, socket: S) {
        self.socket = Some(socket);
    }

    /// Returns whether the session has the turn.
    pub(super) fn session_writes(&self) -> bool {
        match self.turn {
            Turn::SessionWrites => true,
            Turn::Idle(_) => false,
        }
    }

    /// Returns the right to write one frame, if the session is at rest and nothing waits.
    pub(super) fn direct_write(&mut self) -> Option<DirectWrite<'_, B, S>> {
        match self {
            Self { backlog, socket: Some(socket), turn: Turn::Idle(_) } if !backlog.has_work() => {
                Some(DirectWrite { backlog, socket })
            }
            Self { .. } => None,
        }
    }

    /// Drops the socket and the waker: the session is gone.
    pub(super) fn retire(&mut self) {
        self.socket = None;
        self.turn = Turn::Idle(Waker::noop().clone());
    }

    /// Takes the turn for a session at rest that has work. The caller must wake it, outside the lock.
    fn take_turn(&mut self) -> Option<Waker> {
        if !self.backlog.has_work() {
            return None;
        }
        match std::mem::replace(&mut self.turn, Turn::SessionWrites) {
            Turn::SessionWrites => None,
            Turn::Idle(waker) => Some(waker),
        }
    }
}

/// The right to write one frame to the socket from outside the session. Its existence proves that the session is at rest
/// and that nothing waits.
pub(super) struct DirectWrite<'a, B, S> {
    backlog: &'a mut B,
    socket: &'a S,
}

impl<B: Backlog, S: DirectSend> DirectWrite<'_, B, S> {
    /// Sends the frame. What the socket does not accept waits for the session, which continues there. Returns whether the
    /// whole frame is out.
    pub(super) fn send(self, frame: &Frame) -> bool {
        // The session finds out by itself why a socket fails.
        let sent = self.socket.send(frame.wire()).unwrap_or(0);
        let is_whole = sent == frame.size();
        if !is_whole {
            self.backlog.push(frame.after(sent));
        }
        is_whole
    }
}

/// A [`SocketWriter`] behind its lock.
pub(super) struct SharedWriter<L>(L);

impl<L, B, S> SharedWriter<L>
where
    L: Lock<Content = SocketWriter<B, S>>,
    B: Backlog,
{
    pub(super) fn new(lock: L) -> Self {
        Self(lock)
    }

    /// Reads under the lock.
    pub(super) fn read<T>(&self, read: impl FnOnce(&SocketWriter<B, S>) -> T) -> T {
        read(&self.0.lock())
    }

    /// Runs `change` under the lock, then wakes the session if it is at rest and has work. Returns the result, and whether
    /// the session was woken.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut SocketWriter<B, S>) -> T) -> (T, bool) {
        let mut writer = self.0.lock();
        let result = change(&mut writer);
        let waker = writer.take_turn();
        drop(writer);
        let is_woken = waker.is_some();
        if let Some(waker) = waker {
            waker.wake();
        }
        (result, is_woken)
    }

    /// Gives the session the turn, and what `take` takes.
    pub(super) fn take<T>(&self, take: impl FnOnce(&mut B) -> T) -> T {
        let mut writer = self.0.lock();
        writer.turn = Turn::SessionWrites;
        take(&mut writer.backlog)
    }

    /// Gives the session the turn and what `take` takes, or, if it has nothing to do, lets it rest until `waker` wakes it.
    /// The session must have written all that it took before.
    pub(super) fn poll_take<T>(&self, waker: &Waker, take: impl FnOnce(&mut B) -> T) -> Poll<T> {
        let mut writer = self.0.lock();
        if writer.backlog.has_work() {
            writer.turn = Turn::SessionWrites;
            return Poll::Ready(take(&mut writer.backlog));
        }
        if writer.session_writes() {
            writer.turn = Turn::Idle(waker.clone());
        }
        Poll::Pending
    }
}
