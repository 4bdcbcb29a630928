//! The followers of a user, and the followers from which privacy lists hide it.

use std::sync::Arc;

use actix::Context;
use tokio::sync::mpsc;

use super::UserActor;
use crate::outbox::{Address, DeliveryCounts, DeliveryMode, Notification, Ticket};
use crate::presence::diff::{Diff, Snapshot};
use crate::presence::id::UserId;
use crate::presence::privacy::View;
use crate::presence::subscriptions::DeliveredStatus;
use crate::presence::user::{Event, Followed};

impl UserActor {
    /// Returns what another user sees of this one; `None` is a viewer that sees everything visible.
    pub(super) fn view(&self, viewer: Option<UserId>) -> View {
        self.shard.shared_privacy.view(self.presence.user(), viewer)
    }

    pub(super) fn follow(&mut self, ticket: Ticket, context: &mut Context<Self>) {
        if let Some(exit) = ticket.exit() {
            self.presence.set_exit(exit);
        }
        if !ticket.follows() {
            let snapshot = self.snapshot_for(ticket.asker());
            return ticket.snapshot(Followed { snapshot, again: false });
        }
        if self.view(ticket.asker()) == View::Nothing {
            self.hidden.get_or_insert_default().insert(ticket.address().clone());
            let snapshot = self.snapshot_in(View::Nothing);
            return ticket.snapshot(Followed { snapshot, again: false });
        }
        if let Some(followed) = self.apply(Event::Followed(ticket.address().clone()), context) {
            ticket.snapshot(followed);
        }
    }

    /// Adds a follower that gets later changes and no snapshot.
    pub(super) fn follow_silently(&mut self, address: Address, follower: UserId) {
        if address.is_ended() {
            return;
        }
        if self.view(Some(follower)) == View::Nothing {
            self.hidden.get_or_insert_default().insert(address);
        } else {
            self.presence.add_follower(address);
        }
    }

    /// Removes a follower. Returns `false` when it did not follow, or when the last notification found it gone.
    pub(super) fn unfollow(&mut self, address: &Address) -> bool {
        let followed = self.presence.remove_follower(address);
        self.remove_hidden(address) || followed
    }

    /// Removes a follower and reports the status that it got last, unless that did not reach its outbox.
    pub(super) fn unfollow_and_report(
        &mut self,
        address: &Address,
        answer: &mpsc::UnboundedSender<(UserId, DeliveredStatus)>,
    ) {
        let last = self.snapshot_at(address);
        if self.unfollow(address) {
            let delivered = DeliveredStatus::of(last.general_status(), last.text());
            // The asker may have gone.
            let _asker_gone = answer.send((self.presence.user(), delivered));
        }
    }

    /// Returns `false` when the user was not hidden from this address.
    fn remove_hidden(&mut self, address: &Address) -> bool {
        let Some(hidden) = &mut self.hidden else { return false };
        let was_there = hidden.remove(address);
        if hidden.is_empty() {
            self.hidden = None;
        }
        was_there
    }

    /// Returns what the follower at this address sees.
    fn snapshot_at(&self, address: &Address) -> Snapshot {
        let hidden = self.hidden.as_ref().is_some_and(|hidden| hidden.iter().any(|known| known == address));
        self.snapshot_in(if hidden { View::Nothing } else { View::Full })
    }

    /// Returns what another user sees; `None` is an asker that sees everything visible.
    pub(super) fn snapshot_for(&self, asker: Option<UserId>) -> Snapshot {
        self.snapshot_in(self.view(asker))
    }

    fn snapshot_in(&self, view: View) -> Snapshot {
        view.snapshot(self.presence.snapshot(), None)
    }

    /// Hides the user from these followers at once.
    pub(super) fn hide_from(&mut self, addresses: &[Address]) {
        let shown = self.presence.snapshot();
        let absent = self.snapshot_in(View::Nothing);
        for address in addresses {
            if self.presence.remove_follower(address) {
                self.hidden.get_or_insert_default().insert(address.clone());
                self.notify_difference(address, &shown, &absent);
            }
        }
    }

    /// Shows the user to these followers at once.
    pub(super) fn show_to(&mut self, addresses: &[Address]) {
        let shown = self.presence.snapshot();
        let absent = self.snapshot_in(View::Nothing);
        for address in addresses {
            if self.remove_hidden(address) {
                self.presence.add_follower(address.clone());
                self.notify_difference(address, &absent, &shown);
            }
        }
    }

    /// Notifies one follower of the difference between two snapshots.
    fn notify_difference(&self, address: &Address, before: &Snapshot, after: &Snapshot) {
        let version = before.version.max(after.version);
        let diff = Diff::between(self.presence.user(), version, &before.presences, &after.presences);
        let notification = Notification::new(diff, Arc::new(before.clone()), after.clone());
        let mut counts = DeliveryCounts::default();
        let mode = DeliveryMode::Coalesced(self.shard.clock.now());
        // A follower that is gone ends its follow by itself.
        let _gone = address.notify(&notification, mode, &mut counts);
        counts.record(&self.shard.metrics);
    }
}
