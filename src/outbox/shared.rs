//! The lock that the engine's and the session's side of an outbox share.

use std::fmt;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};

use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;

use super::codec::Codec;
use super::connection::Opening;
use super::frame::Frame;
use super::pending_reply::{PendingReply, ReplyProgress};
use super::socket_writer::{SharedWriter, SocketWriter};
use super::state::OutboxState;
use super::writer::OutboxWriter;
use crate::metrics::Metrics;
use crate::presence::dialect::Dialect;
use crate::presence::id::ConnectionId;

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

impl SharedOutbox {
    pub(super) fn new(opening: Opening, codec: &'static dyn Codec, bound: usize, metrics: &Metrics) -> Self {
        Self {
            connection: opening.connection,
            codec,
            bound,
            waiting_bytes: metrics.engine().outbox_bytes.clone(),
            writer: SharedWriter::new(Mutex::new(SocketWriter::new(OutboxState::new(opening)))),
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
                let frames = reply.into_frames(self.codec);
                let bytes: usize = frames.iter().map(Frame::size).sum();
                state.respond(&frames, self.codec);
                state.replied = u32::try_from(bytes).unwrap_or(u32::MAX);
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
            state.queue = Default::default();
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
