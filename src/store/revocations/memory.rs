//! Revoked tokens in memory: the reference for the other stores. They are gone at exit.

use std::collections::BTreeMap;
use std::ops::Bound;

use futures_util::FutureExt;
use futures_util::future::ready;
use parking_lot::Mutex;

use super::SWEEP_STRIDE;
use super::port::RevocationStore;
use crate::auth::revocation::{Revocation, UserRevocations};
use crate::presence::id::UserId;
use crate::presence::time::Timestamp;
use crate::store::{StoreError, StoreFuture};

/// Revoked tokens in memory.
#[derive(Default)]
pub struct MemoryRevocations(Mutex<RevocationMap>);

#[derive(Default)]
struct RevocationMap {
    /// Ordered, so that each write continues the search for expired records where the last one ended.
    records: BTreeMap<UserId, UserRevocations>,
    /// The last examined record.
    cursor: Option<UserId>,
    closed: bool,
}

impl MemoryRevocations {
    /// Makes an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the number of records, expired ones included.
    #[cfg(test)]
    pub fn record_count(&self) -> usize {
        self.0.lock().records.len()
    }
}

impl RevocationStore for MemoryRevocations {
    fn revoke(&self, user: UserId, revocation: Revocation) -> StoreFuture<'_, ()> {
        let mut map = self.0.lock();
        if map.closed {
            return ready(Err(StoreError::Closed)).boxed();
        }
        map.records.entry(user).or_default().apply(&revocation);
        map.sweep(revocation.now);
        ready(Ok(())).boxed()
    }

    fn revocations(&self, user: UserId) -> StoreFuture<'_, UserRevocations> {
        ready(Ok(self.0.lock().records.get(&user).cloned().unwrap_or_default())).boxed()
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.0.lock().closed = true;
        ready(Ok(())).boxed()
    }
}

impl RevocationMap {
    fn sweep(&mut self, now: Timestamp) {
        let from = self.cursor.map_or(Bound::Unbounded, Bound::Excluded);
        let examined = self.records.range((from, Bound::Unbounded)).take(SWEEP_STRIDE);
        let examined: Vec<(UserId, bool)> = examined.map(|(&user, record)| (user, record.expires() <= now)).collect();
        self.cursor = if examined.len() < SWEEP_STRIDE { None } else { examined.last().map(|&(user, _)| user) };
        for (user, _) in examined.into_iter().filter(|&(_, is_expired)| is_expired) {
            self.records.remove(&user);
        }
    }
}
