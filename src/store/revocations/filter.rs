//! A quick answer for the many users without revoked tokens.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::presence::id::UserId;
use crate::presence::time::Timestamp;

/// Number of slots: 1 MiB in all.
const SLOTS: usize = 1 << 18;

/// The latest expiry of a record, by a hash of its user. When the slot of a user is over, the user has no record that still
/// counts. Several
/// users share a slot, so that the memory is fixed and a false "maybe" is possible; it costs a read of the store.
pub struct RevocationFilter {
    /// Seconds since the Unix epoch.
    expires: Box<[AtomicU32]>,
    /// Hashes with a random seed, so that no client can choose users of one slot.
    hasher: RandomState,
}

impl RevocationFilter {
    /// Makes a filter in which no user has a record.
    pub fn new() -> Self {
        Self { expires: (0..SLOTS).map(|_| AtomicU32::new(0)).collect(), hasher: RandomState::new() }
    }

    /// Notes that a user has a record until this time.
    pub fn note(&self, user: UserId, expires: Timestamp) {
        let seconds = u32::try_from(expires.as_secs().saturating_add(1)).unwrap_or(u32::MAX);
        self.slot(user).fetch_max(seconds, Ordering::Release);
    }

    /// Returns whether the user may have a record at this time.
    pub fn may_have(&self, user: UserId, now: Timestamp) -> bool {
        u64::from(self.slot(user).load(Ordering::Acquire)) > now.as_secs()
    }

    fn slot(&self, user: UserId) -> &AtomicU32 {
        let hash = self.hasher.hash_one(user);
        &self.expires[usize::try_from(hash % SLOTS as u64).unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_may_have_a_record_until_it_expires() {
        let (filter, alice) = (RevocationFilter::new(), UserId::from_name("alice"));
        let at = |second: u64| Timestamp::from_secs(1_795_220_273 + second);
        assert!(!filter.may_have(alice, at(0)));
        filter.note(alice, at(10));
        filter.note(alice, at(5));
        assert!(filter.may_have(alice, at(10)) && !filter.may_have(alice, at(11)));
        let others = (0..1000).filter(|number| filter.may_have(UserId::from_name(&format!("user-{number}")), at(0)));
        assert!(others.count() < 100, "most users of other slots have none");
        filter.note(alice, Timestamp::from_micros(u64::MAX));
        assert!(filter.may_have(alice, at(1_000_000_000)));
    }
}
