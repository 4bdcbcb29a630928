//! What an outbox has under its lock.

use std::task::Waker;
use std::time::Duration;

use super::CloseRequest;
use super::frame::Frame;
use super::notification::{DeliveryMode, Outcome};
use super::queue::Queue;
use super::request::Request;
use super::socket::Socket;
use super::subscriber::Subscriber;
use crate::presence::id::{UserId, Username};
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;

/// A client that was told something less than this ago may be told more soon: it is gathered for one write.
const GATHERING: Duration = Duration::from_millis(4);

/// What an outbox has under its lock.
pub(super) struct State {
    pub queue: Queue,
    /// At most one: a session sends its commands one at a time.
    pub request: Option<Box<Request>>,
    /// The name that others see.
    pub username: Option<Username>,
    /// What the connection shows by its own word: what a replaced user actor is told.
    pub status: Option<StatusText>,
    /// Made when the first is needed of what only clients have who are told whole presences.
    pub subscriber: Option<Box<Subscriber>>,
    /// Wakes the session while it rests.
    pub waker: Option<Waker>,
    /// Where the session writes to, if it can be written to from here.
    pub line: Option<Socket>,
    /// When the client was last told a change.
    pub told_at: Timestamp,
    /// The session's actor wants to run.
    pub actor_ready: bool,
    /// The session looks into the outbox, or a wake is under way to it.
    pub awake: bool,
    /// How many of the bytes that wait are in the metric: it is touched by every thread, so not for every frame.
    pub counted: usize,
    /// The session is gone, or about to go: whatever comes is dropped.
    pub ended: bool,
    pub completed: bool,
    pub timer_due: bool,
    /// Made when there is something in it.
    pub cold: Option<Box<Cold>>,
}

/// What seldom happens to a connection, kept apart: every delivery to thousands of followers fetches the rest from memory.
#[derive(Default)]
pub(super) struct Cold {
    pub abandoned: Vec<UserId>,
    pub close_request: Option<CloseRequest>,
    /// The close frame: goes out after all that waits.
    pub last: Option<Frame>,
}

impl State {
    pub(super) fn has_work(&self) -> bool {
        !self.queue.is_empty() || self.completed || self.timer_due || self.actor_ready || self.cold.is_some()
    }

    /// Sends a change, or queues it.
    pub(super) fn hand_over(&mut self, frames: &[Frame], mode: DeliveryMode) -> Outcome {
        let now = mode.at();
        let quiet = now.since(self.told_at) >= GATHERING;
        self.told_at = now;
        let rests = quiet && !self.awake && !self.has_work();
        if let (DeliveryMode::AtOnce(_), [frame], Some(line), true) = (mode, frames, &self.line, rests) {
            match line.send(frame.wire()) {
                Ok(sent) if sent == frame.size() => return Outcome::Sent,
                Ok(sent) => {
                    self.queue.push_all(&[frame.after(sent)]);
                    return Outcome::Queued;
                }
                // The session finds out by itself why.
                Err(_) => {}
            }
        }
        self.queue.push_all(frames);
        Outcome::Queued
    }

    pub(super) fn cold(&mut self) -> &mut Cold {
        self.cold.get_or_insert_default()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.cold.as_ref().is_some_and(|cold| cold.close_request.is_some())
    }
}
