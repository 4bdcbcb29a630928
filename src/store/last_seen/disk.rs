//! Last-seen records in the embedded database, beside the accounts.
//!
//! One thread owns the writes. It commits whatever has been noted since the last time, as one batch, each
//! [`COMMIT_EVERY`]: a second's worth of sightings is one commit, and a crash costs at most that second. What cannot be
//! written stays in line, up to its bound. Between commits the thread looks through a part of the records for expired
//! ones, and takes those out with the next commit.

use std::sync::Arc;
use std::time::Duration;

use fjall::{Database, Keyspace, OwnedWriteBatch, PersistMode};
use futures_util::FutureExt;
use parking_lot::{Condvar, Mutex};
use uuid::Uuid;

use super::inbox::{self, Batch, Inbox};
use super::record::{decode, encode};
use super::waiting::Activities;
use super::{LastSeenStore, TooManyWaiting};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::presence::id::UserId;
use crate::presence::last_seen::{Activity, LastSeen};
use crate::presence::time::Timestamp;
use crate::store::{Answer, StoreError};

/// Less than a second, so that with the time a commit takes no more than a second's sightings can be lost.
const COMMIT_EVERY: Duration = Duration::from_millis(750);

/// Records looked at for expiry between two commits: a million are gone through in a quarter of an hour.
const SWEEP_STRIDE: usize = 1000;

/// Last-seen records on disk.
pub struct DiskLastSeen {
    shared: Arc<Shared>,
}

struct Shared {
    database: Database,
    table: Keyspace,
    inbox: Mutex<Inbox>,
    /// Wakes the writer before its time.
    hurry: Condvar,
    expire: Duration,
    clock: Clock,
    metrics: Metrics,
}

impl DiskLastSeen {
    /// Starts the writer. A record is forgotten `expire` after its last update.
    pub(in crate::store) fn start(
        database: Database,
        table: Keyspace,
        expire: Duration,
        clock: &Clock,
        metrics: &Metrics,
    ) -> Result<Self, StoreError> {
        let (clock, metrics) = (clock.clone(), metrics.clone());
        let inbox = Mutex::default();
        let shared = Arc::new(Shared { database, table, inbox, hurry: Condvar::new(), expire, clock, metrics });
        let owned = shared.clone();
        std::thread::Builder::new()
            .name("seen".into())
            .spawn(move || Writer { shared: owned, cursor: None, failing: false }.run())
            .map_err(|error| StoreError::Database(error.to_string()))?;
        Ok(Self { shared })
    }
}

impl LastSeenStore for DiskLastSeen {
    fn note(&self, sightings: &mut dyn Iterator<Item = (UserId, Activity)>) -> Result<(), TooManyWaiting> {
        self.shared.inbox.lock().note(sightings, self.shared.metrics.last_seen())
    }

    fn read(&self, users: Vec<UserId>) -> Answer<'_, Vec<LastSeen>> {
        let shared = self.shared.clone();
        let reading = tokio::task::spawn_blocking(move || shared.read(&users));
        async move { reading.await.map_err(|error| StoreError::Database(error.to_string()))? }.boxed()
    }

    fn forget(&self, users: Vec<UserId>) -> Answer<'_, ()> {
        let asked = self.shared.inbox.lock().forget(users);
        self.shared.hurry.notify_one();
        async { inbox::written(asked?).await }.boxed()
    }

    fn close(&self) -> Answer<'_, ()> {
        let asked = self.shared.inbox.lock().close();
        self.shared.hurry.notify_one();
        async {
            match asked {
                Some(asked) => inbox::written(asked).await,
                None => Ok(()),
            }
        }
        .boxed()
    }
}

/// Dropped without a close, the writer writes once more and ends.
impl Drop for DiskLastSeen {
    fn drop(&mut self) {
        drop(self.shared.inbox.lock().close());
        self.shared.hurry.notify_one();
    }
}

impl Shared {
    fn read(&self, users: &[UserId]) -> Result<Vec<LastSeen>, StoreError> {
        let now = self.clock.time_of_day();
        // What waits is looked up first: if it reaches the disk meanwhile, taking it in twice changes nothing.
        let waiting: Vec<_> = {
            let inbox = self.inbox.lock();
            users.iter().map(|&user| inbox.of(user)).collect()
        };
        let mut records = Vec::with_capacity(users.len());
        for (&user, (writing, filling)) in users.iter().zip(waiting) {
            let mut record = self.current(user, now)?;
            writing.iter().chain(&filling).for_each(|sighting| sighting.apply(&mut record));
            records.push(record);
        }
        Ok(records)
    }

    /// What is on disk of a user and has not expired.
    fn current(&self, user: UserId, now: Timestamp) -> Result<LastSeen, StoreError> {
        let record = match self.table.get(user.uuid().as_bytes())? {
            Some(bytes) => decode(user, &bytes)?,
            None => LastSeen::default(),
        };
        Ok(if record.is_expired(now, self.expire) { LastSeen::default() } else { record })
    }
}

/// The thread that writes.
struct Writer {
    shared: Arc<Shared>,
    /// Where the search for expired records goes on.
    cursor: Option<Uuid>,
    /// The last commit failed, which has been said.
    failing: bool,
}

impl Writer {
    fn run(mut self) {
        loop {
            let Batch { sightings, asking, closed } = self.wait();
            let result = self.commit(&sightings, closed);
            drop(sightings);
            match &result {
                Ok(()) => self.shared.inbox.lock().end(self.shared.metrics.last_seen()),
                Err(error) if !self.failing => log::error!("user statuses could not be written, trying on: {error}"),
                Err(_) => {}
            }
            self.failing = result.is_err();
            inbox::answer(asking, &result);
            if closed {
                return;
            }
        }
    }

    /// Until it is time to write, or somebody wants it written now.
    fn wait(&self) -> Batch {
        let mut inbox = self.shared.inbox.lock();
        if !inbox.is_urgent() {
            self.shared.hurry.wait_for(&mut inbox, COMMIT_EVERY);
        }
        inbox.begin()
    }

    fn commit(&mut self, sightings: &Activities, closed: bool) -> Result<(), StoreError> {
        let shared = self.shared.clone();
        let now = shared.clock.time_of_day();
        let mut batch = shared.database.batch().durability(Some(PersistMode::SyncData));
        // In the order in which they lie on disk, neighbours are read together.
        let mut ordered: Vec<(&UserId, &Activity)> = sightings.iter().collect();
        ordered.sort_unstable_by_key(|(user, _)| **user);
        for (user, sighting) in ordered {
            // A record that cannot be read is replaced: the times in it are lost anyhow.
            let mut record = match shared.current(*user, now) {
                Err(StoreError::Damaged(what)) => {
                    log::error!("the record of {what} is damaged; starting it anew");
                    LastSeen::default()
                }
                record => record?,
            };
            sighting.apply(&mut record);
            let key = *user.uuid().as_bytes();
            if record == LastSeen::default() {
                batch.remove(&shared.table, key);
            } else {
                batch.insert(&shared.table, key, encode(&record));
            }
        }
        if !closed {
            self.sweep(sightings, now, &mut batch)?;
        }
        if !batch.is_empty() {
            batch.commit()?;
            let last_seen = shared.metrics.last_seen();
            last_seen.commits.inc();
            last_seen.written.inc_by(sightings.len() as u64);
        }
        Ok(())
    }

    /// Takes out the expired among the next records.
    fn sweep(&mut self, sightings: &Activities, now: Timestamp, batch: &mut OwnedWriteBatch) -> Result<(), StoreError> {
        let from = self.cursor.unwrap_or_default();
        let mut last_seen = 0;
        for entry in self.shared.table.range(from.into_bytes()..).take(SWEEP_STRIDE) {
            last_seen += 1;
            let (key, value) = entry.into_inner()?;
            let Ok(uuid) = Uuid::from_slice(&key) else { continue };
            let user = UserId::from_uuid(uuid);
            self.cursor = Some(uuid);
            let expired = decode(user, &value).map_or(true, |record| record.is_expired(now, self.shared.expire));
            if expired && !sightings.contains_key(&user) {
                batch.remove(&self.shared.table, key);
            }
        }
        if last_seen < SWEEP_STRIDE {
            self.cursor = None;
        }
        Ok(())
    }
}
