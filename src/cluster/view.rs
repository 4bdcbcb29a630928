//! The other nodes' records of watched users.
//!
//! A user is *watched* while its actor lives on this node. The view holds the latest state only. The engine is notified that
//! a user changed and fetches the state, so that at most one notice per user waits, however fast the changes arrive.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hashbrown::{HashMap, HashSet};
use parking_lot::{Mutex, RwLock};

use super::Listener;
use super::message::{BucketClock, BucketEvent, RecordChange};
use super::node::Incarnation;
use super::record::{Record, UnreadableRecord};
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;
use crate::presence::remote::{CustomStatus, Remote, RemoteConnection};
use crate::presence::time::Timestamp;
use crate::redis::slots::{Bucket, Buckets};

/// All records of one user in Redis.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoredUser {
    /// The clock of the last change.
    pub version: BucketClock,
    /// The packed record of each incarnation.
    pub records: Vec<(Incarnation, Bytes)>,
    /// How its last connection ended.
    pub last_exit: Option<Exit>,
}

/// The state of one watched user.
#[derive(Debug, Default)]
struct WatchedUser {
    stored: StoredUser,
    /// The user has been read from Redis. Until then changes wait.
    loaded: bool,
    /// The user was read individually after the last read of its bucket began.
    fresh: bool,
    /// Changes that arrived before the user was read: the latest of each incarnation.
    early: Vec<(BucketClock, RecordChange)>,
    /// The engine has been notified and has not fetched the state yet.
    notified: bool,
    /// Records that Redis has lost. They stay visible until their nodes announce the user again, or the grace period ends.
    held: Vec<(Incarnation, Bytes)>,
}

/// Grace period for records that Redis lost. Must exceed the time that nodes need to announce them again.
const LOST_RECORD_GRACE: Duration = Duration::from_secs(5);

/// All watched users with the other nodes' records.
pub struct RemoteView {
    buckets: Buckets,
    /// One map per bucket.
    users: Vec<Mutex<HashMap<UserId, WatchedUser>>>,
    /// The incarnations of this node. Their records are not remote.
    own: RwLock<HashSet<Incarnation>>,
    listener: Arc<dyn Listener>,
    /// Users with notices that the engine had no room for.
    refused: Mutex<HashSet<UserId>>,
    /// Users with records that Redis has lost, and the end of their grace period. `None` means that the period starts at the
    /// next call of [`RemoteView::release`].
    held: Mutex<HashMap<UserId, Option<Timestamp>>>,
}

impl RemoteView {
    /// Makes a view without watched users.
    pub fn new(buckets: Buckets, listener: Arc<dyn Listener>) -> Self {
        let users = (0..buckets.count()).map(|_| Mutex::new(HashMap::new())).collect();
        Self { buckets, users, own: RwLock::default(), listener, refused: Mutex::default(), held: Mutex::default() }
    }

    /// Adds an incarnation of this node.
    pub fn add_own(&self, incarnation: Incarnation) {
        self.own.write().insert(incarnation);
    }

    /// Returns whether this is an incarnation of this node.
    pub fn is_own(&self, incarnation: Incarnation) -> bool {
        self.own.read().contains(&incarnation)
    }

    fn bucket(&self, user: UserId) -> &Mutex<HashMap<UserId, WatchedUser>> {
        &self.users[self.buckets.of(user).index()]
    }

    /// Starts watching a user. Returns false if it was already watched.
    pub fn watch(&self, user: UserId) -> bool {
        let mut users = self.bucket(user).lock();
        let is_new = !users.contains_key(&user);
        if is_new {
            users.insert(user, WatchedUser::default());
        }
        is_new
    }

    /// Stops watching a user. Returns false if it was not watched.
    pub fn unwatch(&self, user: UserId) -> bool {
        self.refused.lock().remove(&user);
        self.bucket(user).lock().remove(&user).is_some()
    }

    /// Returns the watched users of a bucket, at the beginning of a read of the whole bucket for [`RemoteView::replace`].
    pub fn begin_read(&self, bucket: Bucket) -> Vec<UserId> {
        let mut users = self.users[bucket.index()].lock();
        users.values_mut().for_each(|watched| watched.fresh = false);
        users.keys().copied().collect()
    }

    /// Returns whether a user is watched.
    pub fn has(&self, user: UserId) -> bool {
        self.bucket(user).lock().contains_key(&user)
    }

    /// Returns the other nodes' connections of a user and re-arms the notice of later changes. `None` means that the user is
    /// not watched, or has not been read yet.
    pub fn fetch(&self, user: UserId) -> Option<Remote> {
        let mut users = self.bucket(user).lock();
        let watched = users.get_mut(&user)?;
        watched.notified = false;
        if watched.held.is_empty() {
            return watched.loaded.then(|| self.merge(&watched.stored));
        }
        let mut shown = watched.stored.clone();
        shown.records.extend(watched.held.iter().cloned());
        Some(self.merge(&shown))
    }

    /// Merges the records of the other nodes.
    pub fn merge(&self, stored: &StoredUser) -> Remote {
        let own = self.own.read();
        merge(stored.records.iter().filter(|(incarnation, _)| !own.contains(incarnation)), stored)
    }

    /// Applies an event of a bucket.
    pub fn apply(&self, bucket: Bucket, event: &BucketEvent) {
        let mut changed = Vec::new();
        {
            let mut users = self.users[bucket.index()].lock();
            for change in &event.changes {
                let Some(watched) = users.get_mut(&change.user) else { continue };
                if watched.apply(event.clock, change) && !self.is_own(change.incarnation) {
                    changed.push(change.user);
                }
            }
        }
        self.notify(changed);
    }

    /// Takes over a user that was read, unless a later state is known. Later changes that arrived during the read stay in
    /// effect.
    pub fn load(&self, user: UserId, stored: StoredUser) {
        if let Some(watched) = self.bucket(user).lock().get_mut(&user) {
            if watched.loaded && watched.stored.version > stored.version {
                return;
            }
            watched.fresh = true;
        }
        self.replace(user, stored);
    }

    /// Takes over a user that was read in place of the known state, even if that is later: Redis may have lost changes.
    pub fn replace(&self, user: UserId, stored: StoredUser) {
        {
            let mut users = self.bucket(user).lock();
            let Some(watched) = users.get_mut(&user) else { return };
            if watched.fresh && watched.loaded && watched.stored.version > stored.version {
                // The known state was read after this one and is of the same history.
                return;
            }
            let unchanged = watched.loaded && watched.stored.records == stored.records;
            if watched.loaded && stored.version < watched.stored.version {
                // Redis has another history: a record that is missing may still be valid, and its node does not know yet.
                let is_lost = |(incarnation, _): &(Incarnation, Bytes)| {
                    !stored.records.iter().any(|(known, _)| known == incarnation)
                };
                let lost = std::mem::take(&mut watched.stored.records).into_iter().filter(is_lost);
                watched.held.extend(lost);
                self.held.lock().insert(user, None);
            }
            watched.stored = stored;
            watched.loaded = true;
            for (clock, change) in std::mem::take(&mut watched.early) {
                watched.apply(clock, &change);
            }
            if unchanged {
                return;
            }
        }
        self.notify(vec![user]);
    }

    /// Notifies the engine that users changed. A user with a notice that was not fetched yet is skipped.
    pub fn notify(&self, users: Vec<UserId>) {
        for user in users {
            let first = self
                .bucket(user)
                .lock()
                .get_mut(&user)
                .is_some_and(|known| !std::mem::replace(&mut known.notified, true));
            if first && !self.listener.changed(user) {
                self.refused.lock().insert(user);
            }
        }
    }

    /// Repeats the notices that the engine had no room for.
    pub fn repeat_refused(&self) {
        let refused = std::mem::take(&mut *self.refused.lock());
        for user in refused {
            if !self.listener.changed(user) {
                self.refused.lock().insert(user);
            }
        }
    }

    /// Drops the lost records that no node has announced again within the grace period. Must be called often.
    pub fn release(&self, now: Timestamp) {
        let mut expired = Vec::new();
        self.held.lock().retain(|&user, until| {
            let is_expired = *until.get_or_insert(now + LOST_RECORD_GRACE) <= now;
            if is_expired {
                expired.push(user);
            }
            !is_expired
        });
        for &user in &expired {
            if let Some(watched) = self.bucket(user).lock().get_mut(&user) {
                watched.held.clear();
            }
        }
        self.notify(expired);
    }

    /// Returns the number of watched users.
    pub fn len(&self) -> usize {
        self.users.iter().map(|users| users.lock().len()).sum()
    }

    /// Returns whether no user is watched.
    pub fn is_empty(&self) -> bool {
        self.users.iter().all(|users| users.lock().is_empty())
    }
}

impl WatchedUser {
    /// Applies one change. Returns whether it made a difference.
    fn apply(&mut self, clock: BucketClock, change: &RecordChange) -> bool {
        if !self.loaded {
            self.early.retain(|(_, early)| early.incarnation != change.incarnation);
            self.early.push((clock, change.clone()));
            return false;
        }
        // One event may have several changes of a user, so an equal clock is applied too. A change that the state already
        // has makes no difference.
        if clock < self.stored.version {
            return false;
        }
        self.stored.version = clock;
        if change.exit.is_some() {
            self.stored.last_exit = change.exit;
        }
        let records = &mut self.stored.records;
        let known = records.iter().position(|(incarnation, _)| *incarnation == change.incarnation);
        match (known, change.value.is_empty()) {
            (Some(index), true) => {
                records.remove(index);
            }
            (Some(index), false) if records[index].1 == change.value => return false,
            (Some(index), false) => records[index].1 = change.value.clone(),
            (None, true) => return false,
            (None, false) => records.push((change.incarnation, change.value.clone())),
        }
        true
    }
}

/// Merges the records of several nodes. A connection that is in two records (its node was declared dead and came back)
/// counts once. Where a connection took over a lingering one, only the new one counts.
fn merge<'a>(records: impl Iterator<Item = &'a (Incarnation, Bytes)>, stored: &StoredUser) -> Remote {
    let mut all: Vec<(bool, Incarnation, RemoteConnection)> = Vec::new();
    let (mut custom, mut superseded) = (CustomStatus::default(), Vec::new());
    for (incarnation, packed) in records {
        match Record::decode(packed) {
            Ok(record) => {
                let lingering = record.lingering;
                if record.custom.since > custom.since {
                    custom = record.custom;
                }
                superseded.extend(record.superseded);
                all.extend(record.connections.into_iter().map(|connection| (lingering, *incarnation, connection)));
            }
            Err(UnreadableRecord::UnknownFormat(format)) => {
                log::debug!(format; "a record of a later version is left out");
            }
            Err(UnreadableRecord::Damaged) => log::warn!(incarnation:% = incarnation; "a damaged record is left out"),
        }
    }
    // In this order:
    // * open connections before lingering ones;
    // * of two lingering ones, the later first;
    // * by id, so that of two that took over the same one the first by its id stays;
    // * the latest incarnation of a node first.
    let rank = |(lingering, incarnation, one): &(bool, Incarnation, RemoteConnection)| {
        let later = lingering.then_some(Reverse((one.since, one.id)));
        (*lingering, later, one.id, Reverse(*incarnation))
    };
    all.sort_by_key(rank);
    all.retain(|(lingering, _, connection)| !lingering || !superseded.contains(&connection.shown()));
    let mut shown = HashSet::new();
    all.retain(|(_, _, connection)| shown.insert(connection.shown()));
    all.sort_by_key(|(_, _, connection)| connection.shown());
    let lingering =
        all.iter().filter(|(lingering, ..)| *lingering).map(|(.., connection)| connection.shown()).collect();
    Remote {
        version: stored.version,
        connections: all.into_iter().map(|(.., connection)| connection).collect(),
        lingering,
        superseded,
        last_exit: stored.last_exit,
        custom,
    }
}
