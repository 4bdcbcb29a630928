//! Replies to one batch of commands, which leave as one.

use super::codec::Codec;
use super::frame::Frame;
use super::queue::OutboxQueue;
use crate::presence::id::UserId;

/// Replies that wait for one another. Bounded by the size of a message: each reply belongs to a command of one message.
pub(super) struct ReplyBatch {
    /// The number of replies that have not arrived.
    missing: usize,
    replies: Vec<Frame>,
    /// Further frames of the replies: they go out after the joined replies.
    rest: Vec<Frame>,
    /// Changes that arrived meanwhile, the latest of each user. They are later than what the replies say, and go out last.
    changes: Vec<(UserId, Frame)>,
}

impl ReplyBatch {
    /// Returns a batch of `count` replies, none of which has arrived.
    pub(super) fn of(count: usize) -> Self {
        Self { missing: count, replies: Vec::new(), rest: Vec::new(), changes: Vec::new() }
    }

    /// Adds a reply, with the frames after it. Returns whether it is the last one.
    pub(super) fn add(&mut self, reply: &Frame, rest: &[Frame]) -> bool {
        self.replies.push(reply.clone());
        self.rest.extend_from_slice(rest);
        self.missing = self.missing.saturating_sub(1);
        self.missing == 0
    }

    /// Queues the joined replies that have arrived, then the further frames, then the changes.
    pub(super) fn flush(self, codec: &dyn Codec, queue: &mut OutboxQueue) {
        if !self.replies.is_empty() {
            queue.push_all(&codec.batch_reply(&self.replies));
        }
        queue.push_all(&self.rest);
        self.changes.into_iter().for_each(|(_, change)| queue.push(change));
    }

    /// Replaces the waiting change of the user.
    pub(super) fn replace_change(&mut self, user: UserId, publication: Frame) {
        self.forget(user);
        self.changes.push((user, publication));
    }

    /// Drops the waiting change of the user.
    pub(super) fn forget(&mut self, user: UserId) {
        self.changes.retain(|(changed, _)| *changed != user);
    }
}
