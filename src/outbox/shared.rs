//! What the engine's and the session's side of an outbox share.

use std::fmt;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;

use super::aliases::{ClientAlias, PublicationState};
use super::codec::Codec;
use super::delivery::{DeliveryMode, DeliveryOutcome};
use super::frame::Frame;
use super::pending_reply::{PendingReply, ReplyProgress};
use super::queue::OutboxQueue;
use super::socket::DirectSocket;
use super::socket_writer::{Backlog, SharedWriter, SocketWriter};
use super::{CloseRequest, Opening};
use crate::metrics::Metrics;
use crate::presence::dialect::Dialect;
use crate::presence::id::{ConnectionId, UserId, Username};
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;

/// A client that received a change less than this ago may receive more soon: its changes wait for one write.
const COALESCING_WINDOW: Duration = Duration::from_millis(4);

/// Granularity of the metric of waiting bytes, for each outbox.
pub(super) const COUNTED_BYTES: usize = 1024;

/// One outbox.
pub(super) struct SharedOutbox {
    /// The connection that the outbox leads to.
    pub connection: ConnectionId,
    /// Encodes for the client.
    pub codec: &'static dyn Codec,
    /// The bytes that may wait before changes fold.
    pub bound: usize,
    /// The metric of waiting bytes, shared by all outboxes.
    waiting_bytes: Gauge,
    writer: SharedWriter<Mutex<OutboxWriter>>,
}

/// The content of an outbox's lock.
pub(super) type OutboxWriter = SocketWriter<OutboxState, DirectSocket>;

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

impl OutboxWriter {
    /// Writes a change to the socket, or queues it.
    pub(super) fn deliver(&mut self, frames: &[Frame], mode: DeliveryMode) -> DeliveryOutcome {
        let now = mode.at();
        let is_quiet = now.since(self.backlog.delivered_at) >= COALESCING_WINDOW;
        self.backlog.delivered_at = now;
        if let (DeliveryMode::Direct(_), [frame], true) = (mode, frames, is_quiet)
            && let Some(direct_write) = self.direct_write()
        {
            return if direct_write.send(frame) { DeliveryOutcome::Sent } else { DeliveryOutcome::Queued };
        }
        self.backlog.queue.push_all(frames);
        DeliveryOutcome::Queued
    }
}

impl SharedOutbox {
    pub(super) fn new(opening: Opening, codec: &'static dyn Codec, bound: usize, metrics: &Metrics) -> Self {
        let state = OutboxState {
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
            timer_due: false,
            cold: None,
        };
        Self {
            connection: opening.connection,
            codec,
            bound,
            waiting_bytes: metrics.engine().outbox_bytes.clone(),
            writer: SharedWriter::new(Mutex::new(SocketWriter::new(state))),
        }
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.codec.encoding().dialect()
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&OutboxState) -> T) -> T {
        self.writer.read(|writer| read(&writer.backlog))
    }

    pub(super) fn session_writes(&self) -> bool {
        self.writer.read(SocketWriter::session_writes)
    }

    /// Runs `change` under the lock, then wakes the session if that left work. Returns the result.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut OutboxState) -> T) -> T {
        self.change_writer(|writer| change(&mut writer.backlog)).0
    }

    /// The same with the socket, and also returns whether the session was woken.
    pub(super) fn change_writer<T>(&self, change: impl FnOnce(&mut OutboxWriter) -> T) -> (T, bool) {
        self.writer.change(|writer| {
            let result = change(writer);
            self.count(&mut writer.backlog);
            result
        })
    }

    /// See [`SharedWriter::take`].
    pub(super) fn take<T>(&self, take: impl FnOnce(&mut OutboxState) -> T) -> T {
        self.writer.take(|state| {
            let taken = take(state);
            self.count(state);
            taken
        })
    }

    /// See [`SharedWriter::poll_take`].
    pub(super) fn poll_take<T>(&self, waker: &Waker, take: impl FnOnce(&mut OutboxState) -> T) -> Poll<T> {
        self.writer.poll_take(waker, |state| {
            let taken = take(state);
            self.count(state);
            taken
        })
    }

    /// Updates the metric, if the change is large enough.
    fn count(&self, state: &mut OutboxState) {
        let bytes = state.queue.bytes();
        if bytes.abs_diff(state.counted) >= COUNTED_BYTES || (bytes == 0 && state.counted > 0) {
            self.waiting_bytes.inc_by(signed(bytes) - signed(state.counted));
            state.counted = bytes;
        }
    }

    /// Gives the pending reply of this number an answer, and queues the reply if that was the last one.
    pub(super) fn settle(
        &self,
        state: &mut OutboxState,
        id: u32,
        answer: impl FnOnce(&mut PendingReply) -> ReplyProgress,
    ) {
        let Some(reply) = state.pending_reply.as_mut().filter(|reply| reply.id() == id) else { return };
        match answer(reply) {
            ReplyProgress::Waiting => {}
            ReplyProgress::Abandoned(users) => state.cold().abandoned = users,
            ReplyProgress::Complete => {
                let reply = state.pending_reply.take().expect("it was pending until here");
                // The folded changes of these users are older than their snapshots, so they go out first.
                reply.followed_before().for_each(|user| state.queue.unfold(user, self.codec));
                reply.aliases().into_iter().for_each(|(user, alias)| state.add_alias(user, alias));
                state.respond(&reply.into_frames(self.codec), self.codec);
                state.completed = true;
            }
        }
    }

    /// Ends the session. What waits can still be drained.
    pub(super) fn end(&self) {
        self.change(OutboxState::end);
    }

    /// Drops what waits, the socket and the waker: the connection is gone.
    pub(super) fn discard(&self) {
        self.change_writer(|writer| {
            let state = &mut writer.backlog;
            state.end();
            state.cold = None;
            state.queue = OutboxQueue::default();
            // Nobody will run: no work may be left, or the outbox would count as awake.
            (state.actor_ready, state.timer_due) = (false, false);
            writer.retire();
        });
    }
}

/// Wakes the session's actor.
impl Wake for SharedOutbox {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.change(|state| state.actor_ready = true);
    }
}

impl fmt::Debug for SharedOutbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Outbox({})", self.connection)
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
