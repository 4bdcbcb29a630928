//! Last-seen records in memory: the reference that the other stores are held against. Gone at exit.

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
use crate::store::{Answer, StoreError};

/// Users remembered at most; further ones are refused until others expire.
const MAX_RECORDS: usize = 10_000_000;

/// How often the expired ones are taken out; they are not shown meanwhile.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Last-seen records in memory.
pub struct MemoryLastSeen {
    records: Mutex<Records>,
    expire: Duration,
    clock: Clock,
    metrics: Metrics,
}

#[derive(Default)]
struct Records {
    users: HashMap<UserId, LastSeen>,
    /// When the expired ones were last taken out.
    swept: Timestamp,
    closed: bool,
}

impl MemoryLastSeen {
    /// Nobody has been seen yet. A record is forgotten `expire` after its last update.
    pub fn new(expire: Duration, clock: &Clock, metrics: &Metrics) -> Self {
        Self { records: Mutex::default(), expire, clock: clock.clone(), metrics: metrics.clone() }
    }
}

impl LastSeenStore for MemoryLastSeen {
    fn note(&self, sightings: &mut dyn Iterator<Item = (UserId, Activity)>) -> Result<(), TooManyWaiting> {
        let mut records = self.records.lock();
        let now = self.clock.time_of_day();
        let mut result = Ok(());
        if now.since(records.swept) >= SWEEP_EVERY {
            records.users.retain(|_, record| !record.is_expired(now, self.expire));
            records.swept = now;
        }
        for (user, sighting) in sightings {
            if records.closed || (records.users.len() >= MAX_RECORDS && !records.users.contains_key(&user)) {
                self.metrics.last_seen().refused.inc();
                result = Err(TooManyWaiting);
                continue;
            }
            let record = records.users.entry(user).or_default();
            if record.is_expired(now, self.expire) {
                *record = LastSeen::default();
            }
            sighting.apply(record);
        }
        result
    }

    fn read(&self, users: Vec<UserId>) -> Answer<'_, Vec<LastSeen>> {
        let records = self.records.lock();
        let now = self.clock.time_of_day();
        let record = |user| records.users.get(user).filter(|record| !record.is_expired(now, self.expire));
        ready(Ok(users.iter().map(|user| record(user).cloned().unwrap_or_default()).collect())).boxed()
    }

    fn forget(&self, users: Vec<UserId>) -> Answer<'_, ()> {
        let mut records = self.records.lock();
        if records.closed {
            return ready(Err(StoreError::Closed)).boxed();
        }
        users.iter().for_each(|user| drop(records.users.remove(user)));
        ready(Ok(())).boxed()
    }

    fn close(&self) -> Answer<'_, ()> {
        self.records.lock().closed = true;
        ready(Ok(())).boxed()
    }
}
