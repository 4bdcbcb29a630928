//! Folded changes: what the outbox keeps of each user once too many frames wait.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashMap;

use super::alias::ClientAlias;
use crate::presence::diff::{Diff, Snapshot};
use crate::presence::id::UserId;

/// One folded change per user. The user that waits longest is first, so that none starves.
#[derive(Default)]
pub(super) struct FoldedChanges {
    diffs: HashMap<UserId, Diff>,
    /// The latest presences, for a client of a dialect that publishes whole presences.
    presences: HashMap<UserId, (ClientAlias, Arc<Snapshot>)>,
    /// Every user of the two maps. A user forgotten in the meantime is skipped.
    order: VecDeque<UserId>,
}

/// The folded change of one user.
#[derive(Default)]
pub(super) struct FoldedChange {
    pub presence: Option<(ClientAlias, Arc<Snapshot>)>,
    pub diff: Option<Diff>,
}

impl FoldedChanges {
    /// Folds a diff into the earlier one of its user.
    pub(super) fn add(&mut self, diff: &Diff) {
        match self.diffs.get_mut(&diff.user) {
            Some(earlier) => earlier.fold(diff),
            None => {
                self.diffs.insert(diff.user, diff.clone());
                self.order.push_back(diff.user);
            }
        }
    }

    /// Replaces the earlier presence of the user.
    pub(super) fn replace(&mut self, alias: &ClientAlias, after: &Arc<Snapshot>) {
        if self.presences.insert(after.user, (alias.clone(), after.clone())).is_none() {
            self.order.push_back(after.user);
        }
    }

    /// Removes the change of one user and returns its diff.
    pub(super) fn forget(&mut self, user: UserId) -> Option<Diff> {
        self.presences.remove(&user);
        self.diffs.remove(&user)
    }

    /// Takes the change that has waited longest. `None` means that no user is left; the change of a forgotten user is
    /// empty.
    pub(super) fn pop(&mut self) -> Option<FoldedChange> {
        let user = self.order.pop_front()?;
        Some(FoldedChange { presence: self.presences.remove(&user), diff: self.diffs.remove(&user) })
    }
}
