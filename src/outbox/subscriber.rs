//! What a client has that is told whole presences: its own names for those it follows.

use bytestring::ByteString;
use hashbrown::HashMap;

use super::State;
use super::codec::{ClientAlias, Codec, Publisher};
use super::frame::Frame;
use super::notification::{DeliveryMode, Notification, Outcome};
use crate::presence::dialect::Dialect;
use crate::presence::id::UserId;

/// A client that is told whole presences.
#[derive(Default)]
pub(super) struct Subscriber {
    /// Whom it is told of, and under which name. Bounded by what the session follows.
    aliases: HashMap<UserId, ClientAlias>,
    /// What its token has others know of it.
    pub info: Option<ByteString>,
    /// Answers that go out as one.
    batch: Option<Batch>,
}

/// Answers that wait for one another. Bounded by a message's size.
struct Batch {
    /// Answers still to come.
    missing: usize,
    replies: Vec<Frame>,
    /// What goes out after them.
    rest: Vec<Frame>,
    /// Changes meanwhile, the latest of each user: they are later than what the answers say, and go out last.
    changes: Vec<(UserId, Frame)>,
}

impl State {
    /// Has the next that many answers wait for one another.
    pub(super) fn gather(&mut self, answers: usize) {
        let batch = Batch { missing: answers, replies: Vec::new(), rest: Vec::new(), changes: Vec::new() };
        self.subscriber.get_or_insert_default().batch = Some(batch);
    }

    /// Queues the answer to one command, or has it wait for the others of its batch. An answer has one frame; what follows
    /// is told besides. None at all: the client wants no answer.
    pub(super) fn answer(&mut self, frames: &[Frame], codec: &dyn Codec) {
        let batch = self.subscriber.as_mut().and_then(|subscriber| subscriber.batch.as_mut());
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

    /// Queues the answers that are there of a batch.
    pub(super) fn flush_batch(&mut self, codec: &dyn Codec) {
        let batch = self.subscriber.as_mut().and_then(|subscriber| subscriber.batch.take());
        let Some(Batch { replies, rest, changes, missing: _ }) = batch else { return };
        if !replies.is_empty() {
            self.queue.push_all(&codec.joined(&replies));
        }
        self.queue.push_all(&rest);
        changes.iter().for_each(|(_, change)| self.queue.push_all(std::slice::from_ref(change)));
    }

    /// Tells of this user from here on, under this name.
    pub(super) fn name(&mut self, user: UserId, alias: ClientAlias) {
        self.subscriber.get_or_insert_default().aliases.insert(user, alias);
    }

    /// Tells of this user no longer.
    pub(super) fn unname(&mut self, user: UserId) {
        if let Some(subscriber) = &mut self.subscriber {
            subscriber.aliases.remove(&user);
            if let Some(batch) = &mut subscriber.batch {
                batch.changes.retain(|(changed, _)| *changed != user);
            }
        }
    }

    /// Tells what the user shows after a change. Whoever has no name here is not followed yet, and what happened until
    /// then is in the snapshot; or it is the client's own user, whose changes its address is told in any case.
    pub(super) fn publish(
        &mut self,
        notification: &Notification,
        dialect: Dialect,
        publisher: &dyn Publisher,
        bound: usize,
        mode: DeliveryMode,
    ) -> Outcome {
        if self.request.as_mut().is_some_and(|request| !request.take_in_whole(notification.after())) {
            return Outcome::Queued;
        }
        let aliases = self.subscriber.as_ref().map(|subscriber| &subscriber.aliases);
        let Some(alias) = aliases.and_then(|aliases| aliases.get(&notification.diff().user)) else {
            return Outcome::Passed;
        };
        if !notification.shows(publisher) {
            return Outcome::Passed;
        }
        let gathering = self.subscriber.as_ref().is_some_and(|subscriber| subscriber.batch.is_some());
        if !gathering && self.queue.folds(bound) {
            self.queue.fold_whole(alias, notification.after());
            return Outcome::Folded;
        }
        let publication = publisher.publication(alias, notification.body(dialect, publisher));
        if let Some(batch) = self.subscriber.as_mut().and_then(|subscriber| subscriber.batch.as_mut()) {
            let user = notification.diff().user;
            batch.changes.retain(|(changed, _)| *changed != user);
            batch.changes.push((user, publication));
            return Outcome::Queued;
        }
        self.hand_over(&[publication], mode)
    }
}
