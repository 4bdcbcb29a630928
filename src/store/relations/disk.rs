//! Ties in the embedded database, beside the accounts.
//!
//! One thread owns all writes: it takes whatever waits, up to [`GROUP`], commits it as one batch, syncs, and only then
//! answers. At most [`WAITING`] writes wait; further callers wait for a place. Before its first write it notes of every
//! account that was in when the server ended that its connections are lost, and forgets what has expired.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};
use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use super::record::{decode_roster, decode_standing, encode_roster, encode_standing};
use super::writer::{Tables, alter, change};
use super::{RelationChanged, RelationStore, RosterChange};
use crate::presence::id::UserId;
use crate::presence::member_record::{LoginState, MemberRecord, RelationChange};
use crate::presence::quota::QuotaExceeded;
use crate::presence::roster::{Roster, RosterKind};
use crate::presence::time::Timestamp;
use crate::store::{Answer, StoreError};

/// Writes committed together at most.
const GROUP: usize = 512;

/// Writes that wait at most.
const WAITING: usize = 1024;

/// Ties on disk.
pub struct DiskRelations {
    tables: Arc<OnDisk>,
    writer: mpsc::Sender<Job>,
}

type Asker<T> = oneshot::Sender<Result<T, StoreError>>;

/// A write and who waits for it; or the end.
enum Job {
    RelationChange(UserId, RelationChange, Asker<RelationChanged>),
    Alter(RosterKind, UserId, RosterChange, Asker<Result<Roster, QuotaExceeded>>),
    Close(Asker<()>),
}

/// Tells who waits how it went, given how the commit went.
type Reply = Box<dyn FnOnce(&Result<(), StoreError>)>;

struct OnDisk {
    database: Database,
    standings: Keyspace,
    friends: Keyspace,
    blocked: Keyspace,
}

impl DiskRelations {
    /// Starts the writer. What it does first it dates `now`; subscriptions live for `lifetime` past a last connection.
    pub(in crate::store) fn start(database: Database, now: Timestamp, lifetime: Duration) -> Result<Self, StoreError> {
        let options = || KeyspaceCreateOptions::default().max_memtable_size(4 * 1024 * 1024);
        let tables = Arc::new(OnDisk {
            standings: database.keyspace("standings", options)?,
            friends: database.keyspace("friends", options)?,
            blocked: database.keyspace("blocked", options)?,
            database,
        });
        let (writer, jobs) = mpsc::channel(WAITING);
        let owned = tables.clone();
        std::thread::Builder::new()
            .name("ties".into())
            .spawn(move || {
                owned
                    .interrupt(now, lifetime)
                    .unwrap_or_else(|error| log::error!("standings could not be read: {error}"));
                write_all(&owned, jobs);
            })
            .map_err(|error| StoreError::Database(error.to_string()))?;
        Ok(Self { tables, writer })
    }

    fn write<T: Send + 'static>(&self, job: impl FnOnce(Asker<T>) -> Job) -> Answer<'_, T> {
        let (answer, answered) = oneshot::channel();
        let job = job(answer);
        async move {
            self.writer.send(job).await.map_err(|_| StoreError::Closed)?;
            answered.await.map_err(|_| StoreError::Closed)?
        }
        .boxed()
    }

    fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&OnDisk) -> Result<T, StoreError> + Send + 'static,
    ) -> Answer<'_, T> {
        let tables = self.tables.clone();
        let reading = tokio::task::spawn_blocking(move || read(&tables));
        async move { reading.await.map_err(|error| StoreError::Database(error.to_string()))? }.boxed()
    }
}

impl RelationStore for DiskRelations {
    fn change(&self, account: UserId, change: RelationChange) -> Answer<'_, RelationChanged> {
        self.write(|answer| Job::RelationChange(account, change, answer))
    }

    fn standing(&self, account: UserId) -> Answer<'_, MemberRecord> {
        self.read(move |tables| tables.standing(account))
    }

    fn login_states(&self, accounts: Vec<UserId>) -> Answer<'_, Vec<LoginState>> {
        self.read(move |tables| {
            accounts.into_iter().map(|account| tables.standing(account).map(|standing| standing.login_states)).collect()
        })
    }

    fn alter(
        &self,
        kind: RosterKind,
        owner: UserId,
        change: RosterChange,
    ) -> Answer<'_, Result<Roster, QuotaExceeded>> {
        self.write(|answer| Job::Alter(kind, owner, change, answer))
    }

    fn roster(&self, kind: RosterKind, owner: UserId) -> Answer<'_, Roster> {
        self.read(move |tables| tables.roster(kind, owner))
    }

    fn rosters(&self, kind: RosterKind) -> Result<Vec<(UserId, Roster)>, StoreError> {
        let read = self.tables.rosters(kind).iter().map(|entry| {
            let (key, value) = entry.into_inner()?;
            let owner = owner(&key)?;
            Ok((owner, decode_roster(owner, &value)?))
        });
        read.collect()
    }

    fn close(&self) -> Answer<'_, ()> {
        let closing = self.write(Job::Close);
        async move {
            match closing.await {
                Err(StoreError::Closed) => Ok(()),
                result => result,
            }
        }
        .boxed()
    }
}

/// The writer's thread: until the store is closed or dropped.
fn write_all(tables: &OnDisk, mut jobs: mpsc::Receiver<Job>) {
    let mut group = Vec::with_capacity(GROUP);
    while jobs.blocking_recv_many(&mut group, GROUP) > 0 {
        let mut pending = Pending::new(tables);
        let mut replies: Vec<Reply> = Vec::new();
        for job in group.drain(..) {
            match job {
                Job::RelationChange(account, what, asker) => {
                    let result = change(&mut pending, account, what);
                    replies.push(reply(asker, result));
                }
                Job::Alter(kind, owner, change, asker) => {
                    let result = alter(&mut pending, kind, owner, change);
                    replies.push(reply(asker, result));
                }
                Job::Close(asker) => {
                    jobs.close();
                    replies.push(reply(asker, Ok(())));
                }
            }
        }
        let committed = pending.commit();
        replies.into_iter().for_each(|reply| reply(&committed));
    }
}

fn reply<T: 'static>(asker: Asker<T>, result: Result<T, StoreError>) -> Reply {
    Box::new(move |committed| {
        // Who asked may be gone; the write stays.
        let _asker_gone = asker.send(committed.clone().and(result));
    })
}

fn owner(key: &[u8]) -> Result<UserId, StoreError> {
    let uuid = uuid::Uuid::from_slice(key).map_err(|_| StoreError::Damaged("a key of a list".into()))?;
    Ok(UserId::from_uuid(uuid))
}

impl OnDisk {
    fn standing(&self, account: UserId) -> Result<MemberRecord, StoreError> {
        let record = self.standings.get(account.uuid().as_bytes())?;
        record.map_or(Ok(MemberRecord::default()), |record| decode_standing(account, &record))
    }

    fn roster(&self, kind: RosterKind, owner: UserId) -> Result<Roster, StoreError> {
        let record = self.rosters(kind).get(owner.uuid().as_bytes())?;
        record.map_or(Ok(Roster::default()), |record| decode_roster(owner, &record))
    }

    fn rosters(&self, kind: RosterKind) -> &Keyspace {
        match kind {
            RosterKind::Friends => &self.friends,
            RosterKind::Blocked => &self.blocked,
        }
    }

    /// Whoever was in when the server ended has lost its connections.
    fn interrupt(&self, now: Timestamp, lifetime: Duration) -> Result<(), StoreError> {
        let mut pending = Pending::new(self);
        for entry in self.standings.iter() {
            let (key, value) = entry.into_inner()?;
            let account = owner(&key)?;
            let Ok(before) = decode_standing(account, &value) else {
                log::error!("the standing of {account} is damaged; starting it anew");
                pending.batch.remove(&self.standings, key);
                continue;
            };
            let mut standing = before.clone();
            standing.interrupt(now);
            standing.expire(now, lifetime);
            if standing != before {
                pending.write_standing(account, &standing);
            }
            if pending.batch.len() >= GROUP {
                std::mem::replace(&mut pending, Pending::new(self)).commit()?;
            }
        }
        pending.commit()
    }
}

/// The tables with the writes of a group on top that are not committed yet.
struct Pending<'a> {
    tables: &'a OnDisk,
    batch: OwnedWriteBatch,
    standings: HashMap<UserId, MemberRecord>,
    rosters: HashMap<(RosterKind, UserId), Roster>,
}

impl<'a> Pending<'a> {
    fn new(tables: &'a OnDisk) -> Self {
        let batch = tables.database.batch().durability(Some(PersistMode::SyncData));
        Self { tables, batch, standings: HashMap::new(), rosters: HashMap::new() }
    }

    fn write_standing(&mut self, account: UserId, standing: &MemberRecord) {
        self.batch.insert(&self.tables.standings, *account.uuid().as_bytes(), encode_standing(standing));
    }

    fn commit(self) -> Result<(), StoreError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.batch.commit().map_err(|error| {
            log::error!("ties between users could not be written: {error}");
            StoreError::from(error)
        })
    }
}

impl Tables for Pending<'_> {
    fn standing(&self, account: UserId) -> Result<MemberRecord, StoreError> {
        match self.standings.get(&account) {
            Some(standing) => Ok(standing.clone()),
            None => self.tables.standing(account),
        }
    }

    fn put_standing(&mut self, account: UserId, standing: &MemberRecord) {
        self.write_standing(account, standing);
        self.standings.insert(account, standing.clone());
    }

    fn roster(&self, kind: RosterKind, owner: UserId) -> Result<Roster, StoreError> {
        match self.rosters.get(&(kind, owner)) {
            Some(roster) => Ok(roster.clone()),
            None => self.tables.roster(kind, owner),
        }
    }

    fn put_roster(&mut self, kind: RosterKind, owner: UserId, roster: &Roster) {
        let (table, key) = (self.tables.rosters(kind), *owner.uuid().as_bytes());
        if roster.names().is_empty() {
            self.batch.remove(table, key);
        } else {
            self.batch.insert(table, key, encode_roster(roster));
        }
        self.rosters.insert((kind, owner), roster.clone());
    }
}
