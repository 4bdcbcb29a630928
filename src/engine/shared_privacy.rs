//! Who sees whom, for all shards.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::presence::id::UserId;
use crate::presence::privacy::Privacy;
use crate::presence::roster::{Roster, RosterKind};

/// The [`Privacy`] that all shards look at. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct SharedPrivacy(Arc<RwLock<Privacy>>);

impl SharedPrivacy {
    /// As the lists are.
    pub fn new(privacy: Privacy) -> Self {
        Self(Arc::new(RwLock::new(privacy)))
    }

    /// Takes a user's list as it is now; returns who came to it or is on it no more.
    pub fn set(&self, kind: RosterKind, owner: UserId, roster: &Roster) -> Vec<UserId> {
        let mut privacy = self.0.write();
        let before = privacy.listed(kind, owner);
        privacy.set(kind, owner, roster);
        privacy.listed(kind, owner).symmetric_difference(&before).copied().collect()
    }

    /// Everybody who has such a list.
    pub fn owners(&self, kind: RosterKind) -> Vec<UserId> {
        self.0.read().owners(kind)
    }

    /// Whether `owner` is to look absent to `other`.
    pub fn hides(&self, owner: UserId, other: UserId) -> bool {
        let privacy = self.0.read();
        !privacy.is_open() && privacy.hides(owner, other)
    }
}
