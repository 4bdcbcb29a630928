//! Last-seen records in the embedded database.
//!
//! The writer ([`crate::store::group_commit`]) commits the activities that were noted after the last commit, as one batch,
//! each [`COMMIT_INTERVAL`]: the activities of a second are one commit, and a crash costs at most that second. What cannot
//! be written stays in the inbox (`inbox.rs`), up to its bound. Each commit also examines a part of the records and
//! removes the expired ones.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use parking_lot::Mutex;
use uuid::Uuid;

use super::inbox::{self, ActivityBatch, ActivityInbox};
use super::port::{LastSeenStore, TooManyWaiting};
use super::record::{decode, encode};
use super::waiting::Activities;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::presence::id::UserId;
use crate::presence::last_seen::{Activity, LastSeen};
use crate::presence::time::Timestamp;
use crate::store::database::{DiskTables, Table, WriteBatch, read};
use crate::store::group_commit::{GroupStore, GroupWriter};
use crate::store::{StoreError, StoreFuture};

/// Less than a second, so that together with the duration of a commit at most a second's activities can be lost.
const COMMIT_INTERVAL: Duration = Duration::from_millis(750);

/// Records that one commit examines for expiry: a million records take a quarter of an hour.
const SWEEP_STRIDE: usize = 1000;

/// Last-seen records on disk.
pub struct DiskLastSeen {
    shared: Arc<DiskShared>,
    writer: GroupWriter<ActivityBatch>,
}

struct DiskShared {
    tables: DiskTables,
    inbox: Mutex<ActivityInbox>,
    expire: Duration,
    clock: Clock,
    metrics: Metrics,
}

impl DiskLastSeen {
    /// Starts the writer. A record is forgotten `expire` after its last update.
    pub(in crate::store) fn start(
        tables: DiskTables,
        expire: Duration,
        clock: &Clock,
        metrics: &Metrics,
    ) -> Result<Self, StoreError> {
        let shared = Arc::new(DiskShared {
            tables,
            inbox: Mutex::default(),
            expire,
            clock: clock.clone(),
            metrics: metrics.clone(),
        });
        let writer = LastSeenWriter { shared: shared.clone(), cursor: None, failing: false };
        let writer = GroupWriter::start("last-seen", Some(COMMIT_INTERVAL), writer)?;
        Ok(Self { shared, writer })
    }

    /// Returns the number of records on disk, expired ones included.
    #[cfg(test)]
    pub fn records_on_disk(&self) -> usize {
        self.shared.tables.len(Table::LastSeen)
    }
}

impl LastSeenStore for DiskLastSeen {
    fn note(&self, activities: &mut dyn Iterator<Item = (UserId, Activity)>) -> Result<(), TooManyWaiting> {
        self.shared.inbox.lock().note(activities, self.shared.metrics.last_seen())
    }

    fn read(&self, users: Vec<UserId>) -> StoreFuture<'_, Vec<LastSeen>> {
        let shared = self.shared.clone();
        read(move || shared.read(&users))
    }

    fn forget(&self, users: Vec<UserId>) -> StoreFuture<'_, ()> {
        let written = self.shared.inbox.lock().forget(users);
        self.writer.wake();
        async { inbox::written(written?).await }.boxed()
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        // The writer's close has the result of the last write.
        drop(self.shared.inbox.lock().close());
        self.writer.close()
    }
}

/// Without a close before, the writer commits once more and ends.
impl Drop for DiskLastSeen {
    fn drop(&mut self) {
        drop(self.shared.inbox.lock().close());
    }
}

impl DiskShared {
    fn read(&self, users: &[UserId]) -> Result<Vec<LastSeen>, StoreError> {
        let now = self.clock.time_of_day();
        // The inbox is read first. If an activity reaches the disk in the meantime, applying it twice changes nothing.
        let waiting: Vec<_> = {
            let inbox = self.inbox.lock();
            users.iter().map(|&user| inbox.of(user)).collect()
        };
        let mut records = Vec::with_capacity(users.len());
        for (&user, (writing, filling)) in users.iter().zip(waiting) {
            let mut record = self.current(user, now)?;
            writing.iter().chain(&filling).for_each(|activity| activity.apply(&mut record));
            records.push(record);
        }
        Ok(records)
    }

    /// Reads a user's record from disk. An expired record counts as none.
    fn current(&self, user: UserId, now: Timestamp) -> Result<LastSeen, StoreError> {
        let record = match self.tables.get(Table::LastSeen, user.uuid_bytes())? {
            Some(bytes) => decode(user, &bytes)?,
            None => LastSeen::default(),
        };
        Ok(if record.is_expired(now, self.expire) { LastSeen::default() } else { record })
    }
}

/// The store on the writer's thread.
struct LastSeenWriter {
    shared: Arc<DiskShared>,
    /// The record at which the search for expired records continues.
    cursor: Option<Uuid>,
    /// The last commit failed, and the failure was logged.
    failing: bool,
}

impl GroupStore for LastSeenWriter {
    type Group = ActivityBatch;

    fn begin(&mut self) -> ActivityBatch {
        self.shared.inbox.lock().begin()
    }

    fn commit(&mut self, group: ActivityBatch) -> Result<(), StoreError> {
        let ActivityBatch { activities, waiters, is_last } = group;
        let result = self.write(&activities, is_last);
        drop(activities);
        match &result {
            Ok(()) => self.shared.inbox.lock().end(self.shared.metrics.last_seen()),
            Err(error) if !self.failing => log::error!("last-seen records could not be written, trying again: {error}"),
            Err(_) => {}
        }
        self.failing = result.is_err();
        inbox::notify(waiters, &result);
        result
    }
}

impl LastSeenWriter {
    fn write(&mut self, activities: &Activities, is_last: bool) -> Result<(), StoreError> {
        let shared = self.shared.clone();
        let now = shared.clock.time_of_day();
        let mut batch = shared.tables.batch();
        // In the order of the keys on disk, neighbours are read together.
        let mut ordered: Vec<(&UserId, &Activity)> = activities.iter().collect();
        ordered.sort_unstable_by_key(|(user, _)| **user);
        for (user, activity) in ordered {
            // An unreadable record is replaced: its times are lost anyhow.
            let mut record = match shared.current(*user, now) {
                Err(StoreError::Damaged(what)) => {
                    log::error!("the record of {what} is damaged; it starts empty");
                    LastSeen::default()
                }
                record => record?,
            };
            activity.apply(&mut record);
            if record == LastSeen::default() {
                batch.remove(Table::LastSeen, *user.uuid_bytes());
            } else {
                batch.insert(Table::LastSeen, *user.uuid_bytes(), encode(&record));
            }
        }
        if !is_last {
            self.sweep(activities, now, &mut batch)?;
        }
        if !batch.is_empty() {
            shared.tables.commit(batch)?;
            let last_seen = shared.metrics.last_seen();
            last_seen.commits.inc();
            last_seen.written.inc_by(activities.len() as u64);
        }
        Ok(())
    }

    /// Removes the expired ones of the next [`SWEEP_STRIDE`] records.
    fn sweep(&mut self, activities: &Activities, now: Timestamp, batch: &mut WriteBatch) -> Result<(), StoreError> {
        let from = self.cursor.unwrap_or_default();
        let entries = self.shared.tables.range(Table::LastSeen, from.as_bytes(), SWEEP_STRIDE)?;
        let examined = entries.len();
        for (key, value) in entries {
            let Ok(uuid) = Uuid::from_slice(&key) else { continue };
            let user = UserId::from_uuid(uuid);
            self.cursor = Some(uuid);
            let expired = decode(user, &value).map_or(true, |record| record.is_expired(now, self.shared.expire));
            if expired && !activities.contains_key(&user) {
                batch.remove(Table::LastSeen, uuid.into_bytes());
            }
        }
        if examined < SWEEP_STRIDE {
            self.cursor = None;
        }
        Ok(())
    }
}
