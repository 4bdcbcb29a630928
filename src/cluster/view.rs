//! What other nodes have of the users that somebody here watches.
//!
//! A user is *watched* while its actor lives here. The table holds the latest state only; the engine is told that a user
//! changed and fetches it, so however fast changes come, one notice a user waits at most.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hashbrown::{HashMap, HashSet};
use parking_lot::{Mutex, RwLock};

use super::Listener;
use super::event::{BucketClock, Change, Event};
use super::node::Incarnation;
use super::record::{Record, UnreadableRecord};
use super::slot::{Bucket, Buckets};
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;
use crate::presence::remote::{CustomStatus, Remote, RemoteConnection};
use crate::presence::time::Timestamp;

/// Everything Redis has of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The clock of its last change.
    pub version: BucketClock,
    /// The packed record of each incarnation.
    pub records: Vec<(Incarnation, Bytes)>,
    /// How it was last seen to leave.
    pub last_exit: Option<Exit>,
}

/// One watched user.
#[derive(Debug, Default)]
struct Watched {
    stored: Stored,
    /// It has been read from Redis; until then changes wait.
    loaded: bool,
    /// It was read by itself since its bucket was last begun to be read.
    fresh: bool,
    /// Changes that came before it was read, the latest of each incarnation.
    early: Vec<(BucketClock, Change)>,
    /// The engine has been told and has not fetched it yet.
    told: bool,
    /// Records that Redis has lost. They are shown until their nodes have told of the user again, or should have.
    held: Vec<(Incarnation, Bytes)>,
}

/// How long what Redis lost is shown on: more than the nodes take to notice.
const HELD: Duration = Duration::from_secs(5);

/// All watched users, by bucket.
pub struct Table {
    buckets: Buckets,
    users: Vec<Mutex<HashMap<UserId, Watched>>>,
    /// The lives of this node: what they have is not remote.
    own: RwLock<HashSet<Incarnation>>,
    listener: Arc<dyn Listener>,
    /// Users of whom the engine would not be told: it had no room.
    refused: Mutex<HashSet<UserId>>,
    /// Users of whom records are held that Redis has lost, and until when; none: as long as that is from now.
    held: Mutex<HashMap<UserId, Option<Timestamp>>>,
}

impl Table {
    /// Nobody is watched.
    pub fn new(buckets: Buckets, listener: Arc<dyn Listener>) -> Self {
        let users = (0..buckets.count()).map(|_| Mutex::new(HashMap::new())).collect();
        Self { buckets, users, own: RwLock::default(), listener, refused: Mutex::default(), held: Mutex::default() }
    }

    /// Another life of this node began.
    pub fn add_own(&self, incarnation: Incarnation) {
        self.own.write().insert(incarnation);
    }

    /// Whether this is a life of this node.
    pub fn is_own(&self, incarnation: Incarnation) -> bool {
        self.own.read().contains(&incarnation)
    }

    fn bucket(&self, user: UserId) -> &Mutex<HashMap<UserId, Watched>> {
        &self.users[self.buckets.of(user).index()]
    }

    /// Begins to watch; false if it was watched.
    pub fn watch(&self, user: UserId) -> bool {
        let mut users = self.bucket(user).lock();
        let fresh = !users.contains_key(&user);
        if fresh {
            users.insert(user, Watched::default());
        }
        fresh
    }

    /// Ends it; false if it was not watched.
    pub fn unwatch(&self, user: UserId) -> bool {
        self.refused.lock().remove(&user);
        self.bucket(user).lock().remove(&user).is_some()
    }

    /// Who is watched in a bucket, all of which is now read for [`Table::replace`].
    pub fn begin_read(&self, bucket: Bucket) -> Vec<UserId> {
        let mut users = self.users[bucket.index()].lock();
        users.values_mut().for_each(|watched| watched.fresh = false);
        users.keys().copied().collect()
    }

    /// Whether a user is watched.
    pub fn has(&self, user: UserId) -> bool {
        self.bucket(user).lock().contains_key(&user)
    }

    /// What other nodes have of a user; none if it is not watched, or has not been read yet. The engine is told of later
    /// changes again.
    pub fn fetch(&self, user: UserId) -> Option<Remote> {
        let mut users = self.bucket(user).lock();
        let watched = users.get_mut(&user)?;
        watched.told = false;
        if watched.held.is_empty() {
            return watched.loaded.then(|| self.merge(&watched.stored));
        }
        let mut shown = watched.stored.clone();
        shown.records.extend(watched.held.iter().cloned());
        Some(self.merge(&shown))
    }

    /// What several nodes have, without this one.
    pub fn merge(&self, stored: &Stored) -> Remote {
        let own = self.own.read();
        merge(stored.records.iter().filter(|(incarnation, _)| !own.contains(incarnation)), stored)
    }

    /// Takes an event of a bucket in.
    pub fn apply(&self, bucket: Bucket, event: &Event) {
        let mut changed = Vec::new();
        {
            let mut users = self.users[bucket.index()].lock();
            for change in &event.changes {
                let Some(watched) = users.get_mut(&change.user) else { continue };
                if watched.take(event.clock, change) && !self.is_own(change.incarnation) {
                    changed.push(change.user);
                }
            }
        }
        self.tell(changed);
    }

    /// Takes in what was read of a user, unless something later is known. Changes that came meanwhile and are later still
    /// hold.
    pub fn load(&self, user: UserId, stored: Stored) {
        if let Some(watched) = self.bucket(user).lock().get_mut(&user) {
            if watched.loaded && watched.stored.version > stored.version {
                return;
            }
            watched.fresh = true;
        }
        self.replace(user, stored);
    }

    /// Takes in what was read of a user in place of what was known, be that later: Redis may have lost something.
    pub fn replace(&self, user: UserId, stored: Stored) {
        {
            let mut users = self.bucket(user).lock();
            let Some(watched) = users.get_mut(&user) else { return };
            if watched.fresh && watched.loaded && watched.stored.version > stored.version {
                // Read after this was: it is of the same history.
                return;
            }
            let unchanged = watched.loaded && watched.stored.records == stored.records;
            if watched.loaded && stored.version < watched.stored.version {
                // Redis has another history: what is missing from it may be there, and its node does not know yet.
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
                watched.take(clock, &change);
            }
            if unchanged {
                return;
            }
        }
        self.tell(vec![user]);
    }

    /// Tells the engine of users, also of those it would not be told of before.
    pub fn tell(&self, users: Vec<UserId>) {
        for user in users {
            let first =
                self.bucket(user).lock().get_mut(&user).is_some_and(|known| !std::mem::replace(&mut known.told, true));
            if first && !self.listener.changed(user) {
                self.refused.lock().insert(user);
            }
        }
    }

    /// Tells the engine again what it had no room for.
    pub fn tell_refused(&self) {
        let refused = std::mem::take(&mut *self.refused.lock());
        for user in refused {
            if !self.listener.changed(user) {
                self.refused.lock().insert(user);
            }
        }
    }

    /// Shows those no longer whom Redis has lost and of whom no node has told in time. To be called often.
    pub fn release(&self, now: Timestamp) {
        let mut over = Vec::new();
        self.held.lock().retain(|&user, until| {
            let is_over = *until.get_or_insert(now + HELD) <= now;
            if is_over {
                over.push(user);
            }
            !is_over
        });
        for &user in &over {
            if let Some(watched) = self.bucket(user).lock().get_mut(&user) {
                watched.held.clear();
            }
        }
        self.tell(over);
    }

    /// How many are watched.
    pub fn len(&self) -> usize {
        self.users.iter().map(|users| users.lock().len()).sum()
    }

    /// Whether nobody is watched.
    pub fn is_empty(&self) -> bool {
        self.users.iter().all(|users| users.lock().is_empty())
    }
}

impl Watched {
    /// Takes one change in; whether it made a difference.
    fn take(&mut self, clock: BucketClock, change: &Change) -> bool {
        if !self.loaded {
            self.early.retain(|(_, early)| early.incarnation != change.incarnation);
            self.early.push((clock, change.clone()));
            return false;
        }
        // One event may have several changes of a user; what a state has already makes no difference.
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

/// One state out of the records of several nodes. A connection that stands in two (its node was taken for dead and came
/// back) counts once; where one took the place of another that lingers, only the one that is there counts.
fn merge<'a>(records: impl Iterator<Item = &'a (Incarnation, Bytes)>, stored: &Stored) -> Remote {
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
    // Who is there before who lingers; of two that took one place the first by its id; of two that linger the later; the
    // latest life of a node first.
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
