//! Last-seen records in memory: the reference for the other stores. They are gone at exit.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::ready;
use hashbrown::HashMap;
use parking_lot::Mutex;

use super::{LastSeenStore, TooManyWaiting};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::presence::id::UserId;
use crate::presence::last_seen::{Activity, LastSeen};
use crate::presence::time::Timestamp;
use crate::store::{StoreError, StoreFuture};

/// Maximum number of records. Further users are refused until other records expire.
const MAX_RECORDS: usize = 10_000_000;

/// Interval at which expired records are removed. Until then they count as removed.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// Last-seen records in memory.
pub struct MemoryLastSeen {
    records: Mutex<LastSeenRecords>,
    expire: Duration,
    clock: Clock,
    metrics: Metrics,
}

#[derive(Default)]
struct LastSeenRecords {
    users: HashMap<UserId, LastSeen>,
    /// Time of the last removal of expired records.
    swept: Timestamp,
    closed: bool,
}

impl MemoryLastSeen {
    /// Makes an empty store. A record is forgotten `expire` after its last update.
    pub fn new(expire: Duration, clock: &Clock, metrics: &Metrics) -> Self {
        Self { records: Mutex::default(), expire, clock: clock.clone(), metrics: metrics.clone() }
    }
}

impl LastSeenStore for MemoryLastSeen {
    fn note(&self, activities: &mut dyn Iterator<Item = (UserId, Activity)>) -> Result<(), TooManyWaiting> {
        let mut records = self.records.lock();
        let now = self.clock.time_of_day();
        let mut result = Ok(());
        if now.since(records.swept) >= SWEEP_INTERVAL {
            records.users.retain(|_, record| !record.is_expired(now, self.expire));
            records.swept = now;
        }
        for (user, activity) in activities {
            if records.closed || (records.users.len() >= MAX_RECORDS && !records.users.contains_key(&user)) {
                self.metrics.last_seen().refused.inc();
                result = Err(TooManyWaiting);
                continue;
            }
            let record = records.users.entry(user).or_default();
            if record.is_expired(now, self.expire) {
                *record = LastSeen::default();
            }
            activity.apply(record);
        }
        result
    }

    fn read(&self, users: Vec<UserId>) -> StoreFuture<'_, Vec<LastSeen>> {
        let records = self.records.lock();
        let now = self.clock.time_of_day();
        let record = |user| records.users.get(user).filter(|record| !record.is_expired(now, self.expire));
        ready(Ok(users.iter().map(|user| record(user).cloned().unwrap_or_default()).collect())).boxed()
    }

    fn forget(&self, users: Vec<UserId>) -> StoreFuture<'_, ()> {
        let mut records = self.records.lock();
        if records.closed {
            return ready(Err(StoreError::Closed)).boxed();
        }
        users.iter().for_each(|user| drop(records.users.remove(user)));
        ready(Ok(())).boxed()
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.records.lock().closed = true;
        ready(Ok(())).boxed()
    }
}
