//! Replies to one batch of commands, which leave as one.

use super::codec::Codec;
use super::frame::Frame;
use super::shared::OutboxState;
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

impl OutboxState {
    /// Batches the next `count` replies.
    pub(super) fn batch_replies(&mut self, count: usize) {
        let batch = ReplyBatch { missing: count, replies: Vec::new(), rest: Vec::new(), changes: Vec::new() };
        self.publications.get_or_insert_default().batch = Some(batch);
    }

    /// Queues the reply to one command, or adds it to the batch. A reply has one frame; the frames after it are further
    /// messages. No frame at all means that the client wants no reply.
    pub(super) fn respond(&mut self, frames: &[Frame], codec: &dyn Codec) {
        let batch = self.publications.as_mut().and_then(|publications| publications.batch.as_mut());
        let (Some(batch), Some((reply, rest))) = (batch, frames.split_first()) else {
            return self.queue.push_all(frames);
        };
        batch.replies.push(reply.clone());
        batch.rest.extend_from_slice(rest);
        batch.missing = batch.missing.saturating_sub(1);
        if batch.missing == 0 {
            self.flush_batch(codec);
        }
    }

    /// Queues the replies of the batch that have arrived.
    pub(super) fn flush_batch(&mut self, codec: &dyn Codec) {
        let batch = self.publications.as_mut().and_then(|publications| publications.batch.take());
        let Some(ReplyBatch { replies, rest, changes, missing: _ }) = batch else { return };
        if !replies.is_empty() {
            self.queue.push_all(&codec.joined(&replies));
        }
        self.queue.push_all(&rest);
        changes.into_iter().for_each(|(_, change)| self.queue.push(change));
    }
}
