//! The session's side of an outbox.

use std::sync::Arc;
use std::task::{Poll, Waker};

use bytestring::ByteString;

use super::alias::ClientAlias;
use super::codec::{Codec, Frames, RequestTag};
use super::connection::{CloseRequest, Opening};
use super::frame::Frame;
use super::pending_reply::{PendingReply, SnapshotReply};
use super::sender::Address;
use super::shared::SharedOutbox;
use super::socket::DirectSocket;
use super::state::OutboxState;
use crate::metrics::Metrics;
use crate::presence::id::{UserId, Username};
use crate::presence::status::StatusText;

/// The receiver of an outbox. The session's actor queues replies by it, and the session's response body drains it; both run
/// in one task.
#[derive(Clone, Debug)]
pub struct OutboxReceiver(Address);

/// What a drain of the outbox found.
#[derive(Debug, Default)]
pub struct Drained {
    /// Frames are left: drain again.
    pub more: bool,
    /// The pending reply is complete.
    pub completed: bool,
    /// The size of that reply, in bytes.
    pub replied: usize,
    /// The actors of these users were lost before they answered: ask them again.
    pub abandoned: Vec<UserId>,
    /// The connection must close. Everything that waited before is drained.
    pub close_request: Option<CloseRequest>,
    /// A deadline of the session is due.
    pub timer_due: bool,
    /// The session's actor has to run: something arrived for it, from its client or from elsewhere.
    pub actor_ready: bool,
}

impl Drained {
    /// Returns whether the session has anything to decide.
    pub fn has_news(&self) -> bool {
        self.completed || !self.abandoned.is_empty() || self.close_request.is_some() || self.timer_due
    }
}

impl OutboxReceiver {
    /// Makes an empty outbox for a connection. Past `bound` bytes, changes fold.
    pub fn new(opening: Opening, codec: &'static dyn Codec, bound: usize, metrics: &Metrics) -> Self {
        Self(Address::new(Arc::new(SharedOutbox::new(opening, codec, bound, metrics))))
    }

    /// Returns the address that the engine sends to.
    pub fn address(&self) -> &Address {
        &self.0
    }

    fn outbox(&self) -> &SharedOutbox {
        self.0.outbox()
    }

    fn change<T>(&self, change: impl FnOnce(&mut OutboxState) -> T) -> T {
        self.outbox().change(change)
    }

    /// Changes the state unless the session has ended.
    fn change_open(&self, change: impl FnOnce(&mut OutboxState)) {
        self.change(|state| {
            if !state.ended {
                change(state);
            }
        });
    }

    /// Returns a waker for the session's actor. A session that is woken only to send what waits does not run its actor.
    pub fn actor_waker(&self) -> Waker {
        Waker::from(self.0.outbox().clone())
    }

    /// Sets the client's socket. As long as the session is awake it writes nothing to it but what it has drained, and
    /// nobody else writes.
    pub fn set_socket(&self, socket: DirectSocket) {
        self.outbox().change_writer(|writer| writer.set_socket(socket));
    }

    /// Sets the user's properties, where the client authenticates after the connection has opened. Must precede the message
    /// that tells the user's actor.
    pub fn identify(&self, username: Option<Username>, status: Option<StatusText>, info: Option<ByteString>) {
        self.change(|state| {
            state.username = username;
            state.status = status;
            if info.is_some() {
                state.publications.get_or_insert_default().info = info;
            }
        });
    }

    /// Queues frames of the session.
    pub fn reply(&self, frames: &[Frame]) {
        self.change_open(|state| state.queue.push_all(frames));
    }

    /// Queues the reply to one command. Within a batch it waits for the other replies.
    pub fn respond(&self, frames: &[Frame]) {
        self.change_open(|state| state.respond(frames, self.outbox().codec));
    }

    /// Batches the next `count` replies into one.
    pub fn batch_replies(&self, count: usize) {
        self.change(|state| state.batch_replies(count));
    }

    /// Waits for `users` to answer a follow. The reply goes out when all have answered; without users it goes out at once.
    pub fn await_follow(&self, id: u32, tag: RequestTag, users: &[UserId]) {
        self.begin(PendingReply::follow(id, tag, users));
    }

    /// Waits for `user` to answer a follow. From the reply on, `alias` is the client's name for the user.
    pub fn await_subscription(&self, id: u32, tag: RequestTag, user: UserId, alias: ClientAlias) {
        self.begin(PendingReply::subscribe(id, tag, user, alias));
    }

    /// Waits for the users that the reply names to answer a follow, then sends the reply.
    pub fn await_snapshots(&self, id: u32, reply: Box<dyn SnapshotReply>) {
        self.begin(PendingReply::snapshots(id, reply));
    }

    /// Waits for `count` user actors to acknowledge an unfollow, then sends `frames`.
    pub fn await_unfollow(&self, id: u32, frames: Frames, count: usize) {
        self.begin(PendingReply::unfollow(id, frames, count));
    }

    /// Waits for the session's own user actor to acknowledge a status, then sends `frames`.
    pub fn await_status(&self, id: u32, frames: Frames) {
        self.begin(PendingReply::set_status(id, frames));
    }

    fn begin(&self, reply: PendingReply) {
        self.change_open(|state| {
            let id = reply.id();
            state.pending_reply = Some(Box::new(reply));
            self.outbox().settle(state, id, PendingReply::progress);
        });
    }

    /// Waits for `count` more answers: the session has asked the users in [`Drained::abandoned`] again.
    pub fn asked_again(&self, count: usize) {
        self.change(|state| {
            if let Some(reply) = &mut state.pending_reply {
                reply.asked_again(count);
            }
        });
    }

    /// Gives up the pending reply and sends `frames` (an error) in its place.
    pub fn give_up(&self, frames: &[Frame]) {
        self.change_open(|state| {
            state.pending_reply = None;
            state.completed = true;
            state.respond(frames, self.outbox().codec);
        });
    }

    /// Sends what waits until `budget` bytes are out or nothing waits. The session is awake from here on.
    pub fn drain(&self, budget: usize, send: impl FnMut(Frame)) -> Drained {
        self.outbox().take(|state| state.drain(budget, self.outbox().codec, send))
    }

    /// Drains, or, if there is nothing to do, lets the session rest until `waker` wakes it. Must not be called before
    /// everything drained earlier is written to the socket: while the session rests, others may write to it.
    pub fn poll_drain(&self, waker: &Waker, budget: usize, send: impl FnMut(Frame)) -> Poll<Drained> {
        self.outbox().poll_take(waker, |state| state.drain(budget, self.outbox().codec, send))
    }

    /// Ends the session with this close frame. It goes out after what waits, and nothing goes out after it.
    pub fn finish(&self, close_frame: Frame) {
        self.change(|state| {
            state.end();
            state.flush_batch(self.outbox().codec);
            state.cold().close_frame = Some(close_frame);
        });
    }

    /// Ends the session: the outbox drops what arrives from here on. What waits can still be drained.
    pub fn end(&self) {
        self.outbox().end();
    }

    /// Drops everything that waits: the connection is gone.
    pub fn discard(&self) {
        self.outbox().discard();
    }
}

impl OutboxState {
    fn drain(&mut self, budget: usize, codec: &dyn Codec, mut send: impl FnMut(Frame)) -> Drained {
        self.queue.drain(budget, codec, &mut send);
        let more = !self.queue.is_empty();
        let mut drained = Drained {
            more,
            completed: std::mem::take(&mut self.completed),
            replied: std::mem::take(&mut self.replied) as usize,
            timer_due: std::mem::take(&mut self.timer_due),
            actor_ready: std::mem::take(&mut self.actor_ready),
            ..Drained::default()
        };
        if let Some(cold) = &mut self.cold {
            drained.abandoned = std::mem::take(&mut cold.abandoned);
            if !more {
                cold.close_frame.take().into_iter().for_each(send);
                drained.close_request = cold.close_request.take();
                self.cold = None;
            }
        }
        drained
    }
}
