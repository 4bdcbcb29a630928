//! Who sees whom, for all shards.

use std::sync::Arc;

use parking_lot::RwLock;

use crate::presence::id::UserId;
use crate::presence::privacy::Privacy;
use crate::presence::roster::{Roster, RosterKind};

/// The [`Privacy`] that all shards look at. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Veil(Arc<RwLock<Privacy>>);

impl Veil {
    /// As the lists are.
    pub fn new(privacy: Privacy) -> Self {
        Self(Arc::new(RwLock::new(privacy)))
    }

    /// Takes a user's list as it is now.
    pub(super) fn set(&self, kind: RosterKind, owner: UserId, roster: &Roster) {
        self.0.write().set(kind, owner, roster);
    }

    /// Whether `owner` is to look absent to `other`.
    pub fn hides(&self, owner: UserId, other: UserId) -> bool {
        let privacy = self.0.read();
        !privacy.is_open() && privacy.hides(owner, other)
    }
}
