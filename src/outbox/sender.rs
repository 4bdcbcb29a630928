//! The engine's side of an outbox.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use bytestring::ByteString;

use super::alias::ClientAlias;
use super::connection::CloseRequest;
use super::delivery::{Delivery, DeliveryCounts, DeliveryMode, DeliveryOutcome};
use super::notification::Notification;
use super::pending_reply::PendingReply;
use super::shared::SharedOutbox;
use super::state::OutboxState;
use super::writer::OutboxWriter;
use crate::presence::dialect::Dialect;
use crate::presence::id::{ConnectionId, UserId};
use crate::presence::member_name::MemberName;
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;
use crate::presence::user::{Connection, Followed};

/// A follower's address: the sender of its outbox. Compared by identity, cheap to clone, eight bytes.
#[derive(Clone, Debug)]
pub struct Address(Arc<SharedOutbox>);

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Address {}

impl Hash for Address {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl Address {
    pub(super) fn new(outbox: Arc<SharedOutbox>) -> Self {
        Self(outbox)
    }

    pub(super) fn outbox(&self) -> &Arc<SharedOutbox> {
        &self.0
    }

    /// Returns the id of the connection that the outbox leads to.
    pub fn connection(&self) -> ConnectionId {
        self.0.connection
    }

    /// Returns the client's dialect.
    pub fn dialect(&self) -> Dialect {
        self.0.dialect()
    }

    /// Returns the connection as its user's actor needs it, or `None` if its session is gone.
    pub fn announce(&self) -> Option<Connection<Self>> {
        self.0.read(|state| {
            (!state.ended).then(|| Connection {
                id: self.connection(),
                username: state.username.clone(),
                status: state.status.clone(),
                since: Timestamp::default(),
                dialect: self.dialect(),
                address: self.clone(),
            })
        })
    }

    /// Returns the part of the connection's token that other users may read: JSON.
    pub fn info(&self) -> Option<ByteString> {
        self.0.read(|state| state.publications.as_ref()?.info.clone())
    }

    /// Returns whether the session is gone.
    pub fn is_ended(&self) -> bool {
        self.0.read(|state| state.ended)
    }

    /// Returns whether the session is looking at what waits for it, or is being woken to do so.
    pub fn is_awake(&self) -> bool {
        self.0.session_writes()
    }

    /// Records the connection's own status. Must precede the message that tells the user's actor.
    pub fn set_status(&self, status: Option<StatusText>) {
        self.0.change(|state| state.status = status);
    }

    /// Delivers a change. Folds it if the client is slow, or takes it into a snapshot that has not gone out yet.
    pub fn notify(&self, notification: &Notification, mode: DeliveryMode, counts: &mut DeliveryCounts) -> Delivery {
        let (outcome, is_woken) = self.0.change_writer(|writer| self.deliver(writer, notification, mode));
        counts.add(self.dialect(), outcome);
        match outcome {
            DeliveryOutcome::Gone => Delivery::Gone,
            DeliveryOutcome::Queued | DeliveryOutcome::Folded if is_woken => Delivery::Woken,
            DeliveryOutcome::Queued | DeliveryOutcome::Folded => Delivery::Waits,
            DeliveryOutcome::Sent | DeliveryOutcome::Irrelevant => Delivery::Done,
        }
    }

    fn deliver(&self, writer: &mut OutboxWriter, notification: &Notification, mode: DeliveryMode) -> DeliveryOutcome {
        let SharedOutbox { codec, bound, .. } = *self.0;
        let (diff, state) = (notification.diff(), &mut writer.backlog);
        if state.ended || state.is_closing() {
            return DeliveryOutcome::Gone;
        }
        if let Some(publisher) = codec.publisher() {
            return writer.publish(notification, self.dialect(), publisher, bound, mode);
        }
        if diff.is_empty() {
            return DeliveryOutcome::Irrelevant;
        }
        if state.pending_reply.as_mut().is_some_and(|reply| !reply.apply(diff)) {
            return DeliveryOutcome::Queued;
        }
        if state.queue.must_fold(bound) {
            state.queue.fold(diff);
            return DeliveryOutcome::Folded;
        }
        writer.deliver(notification.encoded(codec), mode)
    }

    /// Takes the answer of a user actor to a follow.
    pub(super) fn snapshot(&self, request: u32, followed: Followed) {
        self.0.change(|state| self.0.settle(state, request, |reply| reply.snapshot(followed)));
    }

    /// Takes the answer of a user actor to any other command.
    pub(super) fn acknowledge(&self, request: u32, user: UserId) {
        self.0.change(|state| {
            if state.pending_reply.as_ref().is_some_and(|reply| reply.is_unfollow()) {
                state.remove_alias(user);
            }
            self.0.settle(state, request, PendingReply::acknowledge);
        });
    }

    /// Records that a user actor was lost before it answered.
    pub(super) fn abandon(&self, request: u32, user: UserId) {
        self.0.change(|state| self.0.settle(state, request, |reply| reply.abandon(user)));
    }

    /// Sends the client publications of these users from here on, under its own names for them.
    pub fn add_aliases<'a>(&self, names: impl Iterator<Item = &'a MemberName>) {
        self.0.change(|state| names.for_each(|name| state.add_alias(name.user(), ClientAlias::of(name))));
    }

    /// Sends the client no more publications of these users, and drops those that wait.
    pub fn remove_aliases(&self, users: &[UserId]) {
        self.0.change(|state| users.iter().for_each(|&user| state.remove_alias(user)));
    }

    /// Asks the session to close the connection after everything that waits is out.
    pub fn close(&self, close_request: CloseRequest) {
        self.0.change(|state| {
            if !state.ended {
                state.cold().close_request = Some(close_request);
            }
        });
    }

    /// Reminds the session of its deadline.
    pub fn remind(&self) {
        self.0.change(|state: &mut OutboxState| state.timer_due = true);
    }

    /// Ends the session: the outbox drops what arrives from here on. What waits can still be drained.
    pub fn end(&self) {
        self.0.end();
    }
}
