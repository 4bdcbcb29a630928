//! What a user is asked; and what only some users need: who is not to see them, the text that an account gives itself.

use std::sync::Arc;

use actix::Context;
use tokio::sync::mpsc;

use super::UserActor;
use crate::engine::inspection::UserInspection;
use crate::engine::messages::Question;
use crate::outbox::{Address, DeliveryCounts, DeliveryMode, Notification, Ticket, VisibleConnection};
use crate::presence::dialect::Dialect;
use crate::presence::diff::{Diff, Snapshot};
use crate::presence::id::UserId;
use crate::presence::status::StatusText;
use crate::presence::subscriptions::DeliveredStatus;
use crate::presence::user::{Event, Followed, UserPresence};

/// The connections of a user that others see, those with a line here at the end.
pub fn visible_connections(presence: &UserPresence<Address>) -> Vec<VisibleConnection> {
    let others = presence.detached().filter(|other| other.status.is_some());
    let elsewhere = others.map(|other| VisibleConnection { connection: other.shown(), info: other.info.clone() });
    let here = presence
        .visible()
        .map(|each| VisibleConnection { connection: presence.shown(each.id), info: each.address.info() });
    elsewhere.chain(here).collect()
}

impl UserActor {
    /// Answers a question. Who asked may no longer wait.
    pub(super) fn answer(&self, question: Question) {
        let user = self.presence.user();
        let _asker_waits = match question {
            Question::View(asker, answer) => answer.send(self.seen_by_user(asker)).is_ok(),
            Question::Settle(answer) => answer.send(()).is_ok(),
            Question::Inspect(answer) => answer.send((user, UserInspection::of(&self.presence))).is_ok(),
            Question::Addresses(answer) => answer.send(self.presence.addresses().cloned().collect()).is_ok(),
            Question::Show(asker, answer) => {
                let hides = asker.is_some_and(|asker| self.hides(asker));
                let shown = if hides { Vec::new() } else { visible_connections(&self.presence) };
                answer.send(shown).is_ok()
            }
        };
    }

    pub(super) fn hides(&self, other: UserId) -> bool {
        self.shard.shared_privacy.hides(self.presence.user(), other)
    }

    pub(super) fn follow(&mut self, ticket: Ticket, context: &mut Context<Self>) {
        if let Some(exit) = ticket.exit() {
            self.presence.set_exit(exit);
        }
        if !ticket.follows() {
            let snapshot = self.seen_by_user(ticket.asker());
            return ticket.snapshot(Followed { snapshot, again: false });
        }
        if ticket.asker().is_some_and(|asker| self.hides(asker)) {
            self.hidden.get_or_insert_default().insert(ticket.address().clone());
            let snapshot = self.presence.snapshot().concealed();
            return ticket.snapshot(Followed { snapshot, again: false });
        }
        if let Some(followed) = self.take(Event::Followed(ticket.address().clone()), context) {
            ticket.snapshot(followed);
        }
    }

    /// Somebody follows who is to be told changes only.
    pub(super) fn watch(&mut self, address: Address, watcher: UserId) {
        if address.is_ended() {
            return;
        }
        if self.hides(watcher) {
            self.hidden.get_or_insert_default().insert(address);
        } else {
            self.presence.add_follower(address);
        }
    }

    /// False: it did not follow, or what it was told last did not reach its outbox any more.
    pub(super) fn unfollow(&mut self, address: &Address) -> bool {
        let followed = self.presence.remove_follower(address);
        self.unhide(address) || followed
    }

    /// The last device of an account goes: says what it has been told last, unless that never reached its outbox.
    pub(super) fn part(&mut self, address: &Address, answer: &mpsc::UnboundedSender<(UserId, DeliveredStatus)>) {
        let last_seen = self.seen_by(address);
        if self.unfollow(address) {
            let told = DeliveredStatus::of(last_seen.general_status(), last_seen.text());
            // Who asked may no longer wait.
            let _asker_gone = answer.send((self.presence.user(), told));
        }
    }

    /// False: it was not hidden from.
    fn unhide(&mut self, address: &Address) -> bool {
        let Some(hidden) = &mut self.hidden else { return false };
        let was_there = hidden.remove(address);
        if hidden.is_empty() {
            self.hidden = None;
        }
        was_there
    }

    /// What this follower sees.
    pub(super) fn seen_by(&self, address: &Address) -> Snapshot {
        let hidden = self.hidden.as_ref().is_some_and(|hidden| hidden.iter().any(|known| known == address));
        if hidden { self.presence.snapshot().concealed() } else { self.presence.snapshot() }
    }

    /// What this user sees; none: somebody who sees everything that is visible.
    pub(super) fn seen_by_user(&self, asker: Option<UserId>) -> Snapshot {
        let hidden = asker.is_some_and(|asker| self.hides(asker));
        if hidden { self.presence.snapshot().concealed() } else { self.presence.snapshot() }
    }

    /// Looks absent to these from here on, at once.
    pub(super) fn conceal(&mut self, addresses: &[Address]) {
        let (shown, absent) = (self.presence.snapshot(), self.presence.snapshot().concealed());
        for address in addresses {
            if self.presence.remove_follower(address) {
                self.hidden.get_or_insert_default().insert(address.clone());
                self.turn(address, &shown, &absent);
            }
        }
    }

    /// Is seen by these again, at once.
    pub(super) fn reveal(&mut self, addresses: &[Address]) {
        let (shown, absent) = (self.presence.snapshot(), self.presence.snapshot().concealed());
        for address in addresses {
            if self.unhide(address) {
                self.presence.add_follower(address.clone());
                self.turn(address, &absent, &shown);
            }
        }
    }

    /// Tells one follower that it sees something else from here on.
    fn turn(&self, address: &Address, before: &Snapshot, after: &Snapshot) {
        let diff = Diff::between(self.presence.user(), after.version, &before.presences, &after.presences);
        let notification = Notification::new(diff, Arc::new(before.clone()), after.clone());
        let mut counts = DeliveryCounts::default();
        // A follower that is gone is on its way out anyhow.
        let mode = DeliveryMode::Gathered(self.shard.clock.now());
        let _gone = address.notify(&notification, mode, &mut counts);
        counts.record(&self.shard.metrics);
    }

    pub(super) fn members(&self) -> Vec<Address> {
        self.presence.addresses().filter(|address| address.dialect() == Dialect::Tencent).cloned().collect()
    }

    /// An account's new device shows what the account says of itself.
    pub(super) fn share_custom(&self, address: &Address) {
        if address.dialect() == Dialect::Tencent
            && let Some(custom) = self.presence.snapshot().own.custom
        {
            address.set_status(Some(custom));
        }
    }

    /// All devices of the account show the text from here on.
    pub(super) fn set_custom(&mut self, text: Option<StatusText>, ticket: Ticket, context: &mut Context<Self>) {
        let devices = self.members();
        let shown = text.clone().unwrap_or_else(StatusText::empty);
        devices.iter().for_each(|device| device.set_status(Some(shown.clone())));
        // The acknowledgement precedes the session's own event.
        ticket.acknowledge();
        let connections = devices.iter().map(|device| device.connection()).collect();
        self.take(Event::CustomStatusSet { connections, text }, context);
    }
}
