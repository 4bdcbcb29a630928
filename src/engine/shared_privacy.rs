//! The privacy lists of all users, shared by all shards.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::presence::id::UserId;
use crate::presence::privacy::{Privacy, View};
use crate::presence::roster::{Roster, RosterKind};

/// The [`Privacy`] that all shards read. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct SharedPrivacy(Arc<RwLock<Privacy>>);

impl SharedPrivacy {
    /// Shares these lists.
    pub fn new(privacy: Privacy) -> Self {
        Self(Arc::new(RwLock::new(privacy)))
    }

    /// Replaces a user's list. Returns the users that were added to it or removed from it.
    pub fn set(&self, kind: RosterKind, owner: UserId, roster: &Roster) -> Vec<UserId> {
        let mut privacy = self.0.write();
        let before = privacy.listed(kind, owner);
        privacy.set(kind, owner, roster);
        privacy.listed(kind, owner).symmetric_difference(&before).copied().collect()
    }

    /// Returns all users that have a list of this kind.
    pub fn owners(&self, kind: RosterKind) -> Vec<UserId> {
        self.0.read().owners(kind)
    }

    /// Returns what `viewer` sees of `owner`. Without a viewer: what anybody may see.
    pub fn view(&self, owner: UserId, viewer: Option<UserId>) -> View {
        self.0.read().view(owner, viewer)
    }
}
