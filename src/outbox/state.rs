//! What waits in an outbox, and what the engine needs to know of its connection.

use super::alias::ClientAlias;
use super::batch::ReplyBatch;
use super::codec::Codec;
use super::connection::{CloseRequest, Opening};
use super::frame::Frame;
use super::pending_reply::PendingReply;
use super::publications::PublicationState;
use super::queue::OutboxQueue;
use super::socket_writer::Backlog;
use crate::presence::id::{UserId, Username};
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;

/// What waits for the session, and what the engine needs to know of its connection.
pub(super) struct OutboxState {
    pub queue: OutboxQueue,
    /// At most one, because a session runs its commands one at a time.
    pub pending_reply: Option<Box<PendingReply>>,
    /// The name that other users see.
    pub username: Option<Username>,
    /// The connection's own status. The actor that replaces a lost user actor starts from it.
    pub status: Option<StatusText>,
    /// Created on first use; only clients of dialects that publish whole presences have it.
    pub publications: Option<Box<PublicationState>>,
    /// When the client last received a change.
    pub delivered_at: Timestamp,
    /// The session's actor has to run.
    pub actor_ready: bool,
    /// How many of the waiting bytes the metric contains. All threads share the metric, so it is not updated for each frame.
    pub counted: usize,
    /// The session is gone, or about to go: the outbox drops what arrives.
    pub ended: bool,
    /// A pending reply is complete, and the session does not know yet.
    pub completed: bool,
    /// The size of that reply in bytes. Four bytes, which fit beside the flags: every delivery loads this struct.
    pub replied: u32,
    /// A deadline of the session is due.
    pub timer_due: bool,
    /// Created when there is something in it.
    pub cold: Option<Box<ColdState>>,
}

/// Rarely used state, stored apart: a delivery to thousands of followers loads the rest of each outbox from memory.
#[derive(Default)]
pub(super) struct ColdState {
    /// The users that lost their actors before these answered.
    pub abandoned: Vec<UserId>,
    /// Why the session must close the connection.
    pub close_request: Option<CloseRequest>,
    /// The close frame. It goes out after everything that waits.
    pub close_frame: Option<Frame>,
}

impl Backlog for OutboxState {
    fn has_work(&self) -> bool {
        !self.queue.is_empty() || self.completed || self.timer_due || self.actor_ready || self.cold.is_some()
    }

    fn push(&mut self, frame: Frame) {
        self.queue.push(frame);
    }
}

impl OutboxState {
    /// The state of a connection that has just opened.
    pub(super) fn new(opening: Opening) -> Self {
        Self {
            queue: OutboxQueue::default(),
            pending_reply: None,
            username: opening.username,
            status: opening.status,
            publications: None,
            delivered_at: Timestamp::default(),
            // The actor has not run yet.
            actor_ready: true,
            counted: 0,
            ended: false,
            completed: false,
            replied: 0,
            timer_due: false,
            cold: None,
        }
    }

    pub(super) fn cold(&mut self) -> &mut ColdState {
        self.cold.get_or_insert_default()
    }

    pub(super) fn is_closing(&self) -> bool {
        self.cold.as_ref().is_some_and(|cold| cold.close_request.is_some())
    }

    /// Sends publications of the user from here on, under this alias.
    pub(super) fn add_alias(&mut self, user: UserId, alias: ClientAlias) {
        self.publications.get_or_insert_default().aliases.insert(user, alias);
    }

    /// Sends no more publications of the user, and drops those that wait.
    pub(super) fn remove_alias(&mut self, user: UserId) {
        self.queue.forget(user);
        if let Some(publications) = &mut self.publications {
            publications.aliases.remove(&user);
            if let Some(batch) = &mut publications.batch {
                batch.forget(user);
            }
        }
    }

    /// Batches the next `count` replies.
    pub(super) fn batch_replies(&mut self, count: usize) {
        self.publications.get_or_insert_default().batch = Some(ReplyBatch::of(count));
    }

    /// Queues the reply to one command, or adds it to the batch. A reply has one frame; the frames after it are further
    /// messages. No frame at all means that the client wants no reply.
    pub(super) fn respond(&mut self, frames: &[Frame], codec: &dyn Codec) {
        let batch = self.publications.as_mut().and_then(|publications| publications.batch.as_mut());
        let (Some(batch), Some((reply, rest))) = (batch, frames.split_first()) else {
            return self.queue.push_all(frames);
        };
        if batch.add(reply, rest) {
            self.flush_batch(codec);
        }
    }

    /// Queues the replies of the batch that have arrived.
    pub(super) fn flush_batch(&mut self, codec: &dyn Codec) {
        if let Some(batch) = self.publications.as_mut().and_then(|publications| publications.batch.take()) {
            batch.flush(codec, &mut self.queue);
        }
    }

    /// Ends the session: drops the pending reply and everything but the waiting frames and the close frame.
    pub(super) fn end(&mut self) {
        self.ended = true;
        self.pending_reply = None;
        self.completed = false;
        let close_frame = self.cold.take().and_then(|cold| cold.close_frame);
        if close_frame.is_some() {
            self.cold().close_frame = close_frame;
        }
    }
}
