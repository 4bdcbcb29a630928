//! The way to one client: a bounded queue that folds when full, shared by everybody who has something to tell it.
//!
//! User actors push from their own threads; the session drains. Whoever pushes first after it has gone to rest wakes it,
//! so at most one wake is pending. Past the bound (bytes) nothing more is queued: changes fold, one diff per
//! followed user, so that memory is bounded by what the session follows, the latest state is never lost, and a slow
//! client ends with the truth. Replies to the client's own commands are never folded; they need no bound of their own,
//! because a client that does not read is not read from either (its session actor is not polled).
//!
//! Order is kept here too: a snapshot before the diffs that follow it, an acknowledgement before the change it caused.
//!
//! * [`frame`]: what goes over the wire; [`codec`]: what a dialect does for the outbox;
//! * [`notification`]: one diff, encoded once per encoding;
//! * [`request`]: the one command of the client that waits for user actors; * [`ticket`]: a user actor's duty to answer;
//! * [`subscriber`]: what a client is told by whole presences.

mod address;
mod codec;
mod frame;
mod notification;
mod queue;
mod request;
mod socket;
mod state;
mod subscriber;
#[cfg(test)]
mod tests;
mod ticket;

use std::fmt;
use std::sync::Arc;
use std::task::{Poll, Waker};

use bytestring::ByteString;
use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;

use crate::presence::dialect::Dialect;
use crate::presence::id::{ConnectionId, UserId, Username};
use crate::presence::member_name::MemberName;
use crate::presence::status::StatusText;
use crate::presence::user::Followed;

pub use address::Address;
pub use codec::{
    CatchUp, ClientAlias, Codec, Encoding, Failure, FailureReason, Frames, Listing, ListingKind, Publisher, RequestTag,
};
pub use frame::Frame;
use notification::Outcome;
pub use notification::{Delivery, DeliveryCounts, DeliveryMode, Notification};
use queue::Queue;
use request::{Request, Settled};
pub use socket::Socket;
use state::State;
pub use ticket::Ticket;

/// Why the server ends a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseRequest {
    /// The server stops.
    Drain,
    /// An operator or another part of the server disconnects the user.
    Disconnected,
    /// Likewise, with a close code and a reason of its own.
    DisconnectWith(Arc<(u16, Box<str>)>),
}

/// Grain of the metric of bytes that wait, for each outbox.
const COUNTED_BYTES: usize = 1024;

/// What a connection is when it opens.
#[derive(Clone, Debug)]
pub struct Opening {
    /// Its id.
    pub connection: ConnectionId,
    /// The name its token carries.
    pub username: Option<Username>,
    /// What it shows from the start; `None` is invisible.
    pub status: Option<StatusText>,
}

/// A connection that others see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisibleConnection {
    /// Which one.
    pub connection: ConnectionId,
    /// What its token has others know of it: JSON.
    pub info: Option<ByteString>,
}

/// What a drain of the outbox found.
#[derive(Debug, Default)]
pub struct Drained {
    /// Frames were left: drain again.
    pub more: bool,
    /// The request that waited has been answered.
    pub completed: bool,
    /// The user actors of these users were lost before they answered: ask them again.
    pub abandoned: Vec<UserId>,
    /// The connection is to be closed; all that waited has been handed out before.
    pub close_request: Option<CloseRequest>,
    /// The session asked to be reminded of a deadline.
    pub timer_due: bool,
    /// The session's actor wants to run: something came for it, from its client or anybody else.
    pub actor_ready: bool,
}

impl Drained {
    /// Whether the session has anything to decide.
    pub fn has_news(&self) -> bool {
        self.completed || !self.abandoned.is_empty() || self.close_request.is_some() || self.timer_due
    }
}

/// The bounded queue to one client, with what the engine has to know of its connection.
pub struct Outbox {
    connection: ConnectionId,
    codec: &'static dyn Codec,
    /// Bytes that may wait before changes fold.
    bound: usize,
    /// The metric of bytes that wait, shared by all outboxes.
    waiting_bytes: Gauge,
    state: Mutex<State>,
}

impl Outbox {
    /// The connection this leads to.
    pub fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// The client's dialect.
    pub fn dialect(&self) -> Dialect {
        self.codec.encoding().dialect()
    }

    /// Runs `change` under the lock, then wakes the session if that left something to do. Returns its result and whether
    /// the session was woken.
    fn locked<T>(&self, change: impl FnOnce(&mut State) -> T) -> (T, bool) {
        let mut state = self.state.lock();
        let result = change(&mut state);
        self.count(&mut state);
        let wake = state.has_work() && !state.awake;
        state.awake |= wake;
        let waker = if wake { state.waker.take() } else { None };
        drop(state);
        let woken = waker.is_some();
        if let Some(waker) = waker {
            waker.wake();
        }
        (result, woken)
    }

    fn with_state<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        self.locked(change).0
    }

    /// Brings the metric up to date where it is worth it.
    fn count(&self, state: &mut State) {
        let bytes = state.queue.bytes();
        if bytes.abs_diff(state.counted) >= COUNTED_BYTES || (bytes == 0 && state.counted > 0) {
            self.waiting_bytes.inc_by(signed(bytes) - signed(state.counted));
            state.counted = bytes;
        }
    }

    // ---- the engine's side ----

    /// Tells a change. Folds it where the client is slow, or into the snapshot that has not gone out yet.
    pub fn notify(&self, notification: &Notification, mode: DeliveryMode, counts: &mut DeliveryCounts) -> Delivery {
        let diff = notification.diff();
        let (outcome, woken) = self.locked(|state| {
            if state.ended || state.is_closing() {
                return Outcome::Gone;
            }
            if let Some(publisher) = self.codec.publisher() {
                return state.publish(notification, self.dialect(), publisher, self.bound, mode);
            }
            if diff.is_empty() {
                return Outcome::Passed;
            }
            if state.request.as_mut().is_some_and(|request| !request.take_in(diff)) {
                return Outcome::Queued;
            }
            if state.queue.folds(self.bound) {
                state.queue.fold(diff);
                return Outcome::Folded;
            }
            state.hand_over(notification.encoded(self.codec), mode)
        });
        counts.add(self.dialect(), outcome);
        match outcome {
            Outcome::Gone => Delivery::Gone,
            Outcome::Queued | Outcome::Folded if woken => Delivery::Woken,
            Outcome::Queued | Outcome::Folded => Delivery::Waits,
            Outcome::Sent | Outcome::Passed => Delivery::Done,
        }
    }

    /// Whether the session has yet to look at what waits for it, or looks at it.
    pub fn is_awake(&self) -> bool {
        self.state.lock().awake
    }

    /// A user's state, in answer to a follow.
    fn snapshot(&self, request: u32, followed: Followed) {
        self.with_state(|state| self.settle(state, request, |waiting| waiting.snapshot(followed)));
    }

    /// A user actor has done what was asked.
    fn acknowledge(&self, request: u32, user: UserId) {
        self.with_state(|state| {
            if state.request.as_ref().is_some_and(|waiting| waiting.unfollows()) {
                state.queue.forget(user);
                state.unname(user);
            }
            self.settle(state, request, Request::acknowledge);
        });
    }

    /// A user actor was lost before it answered.
    fn abandon(&self, request: u32, user: UserId) {
        self.with_state(|state| self.settle(state, request, |waiting| waiting.abandon(user)));
    }

    fn settle(&self, state: &mut State, id: u32, answer: impl FnOnce(&mut Request) -> Settled) {
        let Some(waiting) = state.request.as_mut().filter(|waiting| waiting.id() == id) else { return };
        match answer(waiting) {
            Settled::Waiting => {}
            Settled::Abandoned(users) => state.cold().abandoned = users,
            Settled::Complete => {
                let request = state.request.take().expect("it waited until here");
                // What waits folded of these users is older than their snapshots: it goes first.
                request.followed_before().for_each(|user| state.queue.unfold(user, self.codec));
                request.aliases().into_iter().for_each(|(user, alias)| state.name(user, alias));
                state.answer(&request.into_frames(self.codec), self.codec);
                state.completed = true;
            }
        }
    }

    /// Has the session's actor run.
    fn wake_actor(&self) {
        self.with_state(|state| state.actor_ready = true);
    }

    /// Asks the session to close the connection once all that waits is out.
    pub fn close(&self, close_request: CloseRequest) {
        self.with_state(|state| {
            if !state.ended {
                state.cold().close_request = Some(close_request);
            }
        });
    }

    /// Reminds the session of its deadline.
    pub fn remind(&self) {
        self.with_state(|state| state.timer_due = true);
    }

    // ---- the session's side ----

    /// Where the session writes to: nowhere else, and nothing that it has not drained, as long as it is awake.
    pub fn set_line(&self, line: Socket) {
        self.state.lock().line = Some(line);
    }

    /// Remembers what the connection shows from here on; set before the user actor is told.
    pub fn set_status(&self, status: Option<StatusText>) {
        self.state.lock().status = status;
    }

    /// Says who is at the other end, where that is learnt only after the connection opened; before the user is told.
    pub fn identify(&self, username: Option<Username>, status: Option<StatusText>, info: Option<ByteString>) {
        let mut state = self.state.lock();
        state.username = username;
        state.status = status;
        if info.is_some() {
            state.subscriber.get_or_insert_default().info = info;
        }
    }

    /// What the client's token has others know of the connection.
    pub fn info(&self) -> Option<ByteString> {
        self.state.lock().subscriber.as_ref()?.info.clone()
    }

    /// Queues frames of the session's own.
    pub fn reply(&self, frames: &[Frame]) {
        self.with_state(|state| {
            if !state.ended {
                state.queue.push_all(frames);
            }
        });
    }

    /// Queues the answer to one command; within a batch it waits for the others.
    pub fn respond(&self, frames: &[Frame]) {
        self.with_state(|state| {
            if !state.ended {
                state.answer(frames, self.codec);
            }
        });
    }

    /// Has the next that many answers wait for one another, to go out as one.
    pub fn gather(&self, answers: usize) {
        self.state.lock().gather(answers);
    }

    /// Waits for `users` to answer a follow; the reply goes out when all have. With none it goes out at once.
    pub fn await_follow(&self, id: u32, tag: RequestTag, users: &[UserId]) {
        self.begin(Request::follow(id, tag, users));
    }

    /// Waits for `user` to answer a follow; from the reply on the client is told of it under `alias`.
    pub fn await_subscription(&self, id: u32, tag: RequestTag, user: UserId, alias: ClientAlias) {
        self.begin(Request::subscribe(id, tag, user, alias));
    }

    /// Waits for the listed users to answer a follow; from the reply on the client is told of them by its names.
    pub fn await_listing(&self, id: u32, tag: RequestTag, listing: Listing) {
        self.begin(Request::list(id, tag, listing));
    }

    /// From here on the client is told of these users by its names for them.
    pub fn name_all<'a>(&self, names: impl Iterator<Item = &'a MemberName>) {
        let mut state = self.state.lock();
        names.for_each(|name| state.name(name.user(), ClientAlias::of(name)));
    }

    /// From here on the client is told of these users no longer, and what waits of them is dropped.
    pub fn unname_all(&self, users: &[UserId]) {
        self.with_state(|state| {
            for &user in users {
                state.unname(user);
                state.queue.forget(user);
            }
        });
    }

    /// Waits for that many user actors to take an unfollow, then sends `frames`.
    pub fn await_unfollow(&self, id: u32, frames: Frames, count: usize) {
        self.begin(Request::unfollow(id, frames, count));
    }

    /// Waits for the session's own user actor to take a status, then sends `frames`.
    pub fn await_status(&self, id: u32, frames: Frames) {
        self.begin(Request::set_status(id, frames));
    }

    fn begin(&self, request: Request) {
        self.with_state(|state| {
            let id = request.id();
            if !state.ended {
                state.request = Some(Box::new(request));
                self.settle(state, id, Request::settled);
            }
        });
    }

    /// The users named by [`Drained::abandoned`] have been asked again.
    pub fn asked_again(&self, count: usize) {
        if let Some(request) = &mut self.state.lock().request {
            request.asked_again(count);
        }
    }

    /// Gives the waiting request up and sends `frames` (an error) in its place.
    pub fn give_up(&self, frames: &[Frame]) {
        self.with_state(|state| {
            if !state.ended {
                state.request = None;
                state.completed = true;
                state.answer(frames, self.codec);
            }
        });
    }

    /// Hands out frames until `budget` bytes are out or nothing waits.
    pub fn drain(&self, budget: usize, send: impl FnMut(Frame)) -> Drained {
        self.drain_locked(&mut self.state.lock(), budget, send)
    }

    /// [`Outbox::drain`], or, when there is nothing to do, looks no further until the session is woken.
    pub fn poll_drain(&self, waker: &Waker, budget: usize, send: impl FnMut(Frame)) -> Poll<Drained> {
        let mut state = self.state.lock();
        if state.has_work() {
            return Poll::Ready(self.drain_locked(&mut state, budget, send));
        }
        state.awake = false;
        if state.waker.is_none() {
            state.waker = Some(waker.clone());
        }
        Poll::Pending
    }

    fn drain_locked(&self, state: &mut State, budget: usize, mut send: impl FnMut(Frame)) -> Drained {
        state.awake = true;
        state.queue.drain(budget, self.codec, &mut send);
        self.count(state);
        let more = !state.queue.is_empty();
        let mut drained = Drained {
            more,
            completed: std::mem::take(&mut state.completed),
            timer_due: std::mem::take(&mut state.timer_due),
            actor_ready: std::mem::take(&mut state.actor_ready),
            ..Drained::default()
        };
        if let Some(cold) = &mut state.cold {
            drained.abandoned = std::mem::take(&mut cold.abandoned);
            if !more {
                cold.last.take().into_iter().for_each(send);
                drained.close_request = cold.close_request.take();
                state.cold = None;
            }
        }
        drained
    }

    /// The session ends with this close frame: it goes out after what waits, and nothing after it.
    pub fn finish(&self, close: Frame) {
        self.end();
        self.with_state(|state| {
            state.flush_batch(self.codec);
            state.cold().last = Some(close);
        });
    }

    /// The session takes no more; what waits can still be drained.
    pub fn end(&self) {
        let mut state = self.state.lock();
        state.ended = true;
        state.request = None;
        state.completed = false;
        let last = state.cold.take().and_then(|cold| cold.last);
        if last.is_some() {
            state.cold().last = last;
        }
    }

    /// The connection is gone: drops what waits.
    pub fn discard(&self) {
        self.end();
        let mut state = self.state.lock();
        state.cold = None;
        state.line = None;
        state.waker = None;
        state.awake = false;
        state.queue = Queue::default();
        self.count(&mut state);
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

impl fmt::Debug for Outbox {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Outbox({})", self.connection)
    }
}
