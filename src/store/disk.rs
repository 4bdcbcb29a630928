//! Accounts on disk, in an embedded log-structured database (fjall).
//!
//! One thread owns all writes: it takes whatever waits, up to [`GROUP`] writes, checks each against the tables and the
//! writes before it, commits them as one batch, syncs, and only then answers. So an answered write is on disk, and a
//! thousand sign-ups at once cost a few syncs. At most [`WAITING`] writes wait; further callers wait for a place.
//! Reads go to the database directly, off the threads that serve clients.

pub(super) mod record;

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};
use futures_util::FutureExt;
use tokio::sync::{mpsc, oneshot};

use super::account::{Account, LoginKey, ProfileChange};
use super::last_seen::disk::DiskLastSeen;
use super::relations::disk::DiskRelations;
use super::rules::{Tables, Write, apply};
use super::{Answer, Store, StoreError};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::presence::id::{UserId, Username};
use crate::presence::time::Timestamp;

/// Writes committed together at most.
const GROUP: usize = 512;

/// Writes that wait at most.
const WAITING: usize = 1024;

/// What is on disk, named in the store itself.
const FORMAT: &[u8] = b"1";

/// Accounts on disk.
pub struct DiskStore {
    tables: Arc<OnDisk>,
    writer: mpsc::Sender<Job>,
}

/// A write and who waits for it; or the end.
enum Job {
    Write(Write, oneshot::Sender<Result<Account, StoreError>>),
    Close(oneshot::Sender<Result<(), StoreError>>),
}

struct OnDisk {
    database: Database,
    accounts: Keyspace,
    logins: Keyspace,
    usernames: Keyspace,
    last_seen: Keyspace,
}

impl From<fjall::Error> for StoreError {
    fn from(error: fjall::Error) -> Self {
        if matches!(error, fjall::Error::Locked) { Self::InUse } else { Self::Database(error.to_string()) }
    }
}

impl DiskStore {
    /// Opens the store in a folder, which is made if it is missing.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        let tables = Arc::new(OnDisk::open(folder)?);
        let (writer, jobs) = mpsc::channel(WAITING);
        let owned = tables.clone();
        std::thread::Builder::new()
            .name("store".into())
            .spawn(move || write_all(&owned, jobs))
            .map_err(|error| StoreError::Database(error.to_string()))?;
        Ok(Self { tables, writer })
    }

    /// The last-seen records in the same database; to be opened once. A record is forgotten `expire` after its last update.
    pub fn last_seen(&self, expire: Duration, clock: &Clock, metrics: &Metrics) -> Result<DiskLastSeen, StoreError> {
        let OnDisk { database, last_seen, .. } = &*self.tables;
        DiskLastSeen::start(database.clone(), last_seen.clone(), expire, clock, metrics)
    }

    /// Records of when users were last seen, expired ones among them.
    #[cfg(test)]
    pub fn last_seen_on_disk(&self) -> usize {
        self.tables.last_seen.len().unwrap()
    }

    /// The ties between users in the same database; to be opened once. Subscriptions live for `lifetime` past an account's
    /// last connection; `now` is the time of day.
    pub fn relations(&self, now: Timestamp, lifetime: Duration) -> Result<DiskRelations, StoreError> {
        DiskRelations::start(self.tables.database.clone(), now, lifetime)
    }

    async fn write(&self, write: Write) -> Result<Account, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.writer.send(Job::Write(write, answer)).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
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

impl Store for DiskStore {
    fn account(&self, user: UserId) -> Answer<'_, Option<Account>> {
        self.read(move |tables| tables.account(user))
    }

    fn find(&self, key: LoginKey) -> Answer<'_, Option<Account>> {
        self.read(move |tables| match tables.get_id(&tables.logins, key.tagged().as_bytes())? {
            Some(user) => tables.account(user),
            None => Ok(None),
        })
    }

    fn user_ids(&self, usernames: Vec<Username>) -> Answer<'_, Vec<UserId>> {
        self.read(move |tables| {
            let ids = usernames.iter().map(|name| tables.get_id(&tables.usernames, name.as_str().as_bytes()));
            ids.filter_map(Result::transpose).collect()
        })
    }

    fn create(&self, account: Account) -> Answer<'_, ()> {
        self.write(Write::Create(Box::new(account))).map(|result| result.map(|_| ())).boxed()
    }

    fn update(&self, user: UserId, change: ProfileChange) -> Answer<'_, Account> {
        self.write(Write::Update(user, Box::new(change))).boxed()
    }

    fn close(&self) -> Answer<'_, ()> {
        async {
            let (answer, answered) = oneshot::channel();
            if self.writer.send(Job::Close(answer)).await.is_err() {
                return Ok(());
            }
            answered.await.map_err(|_| StoreError::Closed)?
        }
        .boxed()
    }
}

/// The writer's thread: until the store is closed or dropped.
fn write_all(tables: &OnDisk, mut jobs: mpsc::Receiver<Job>) {
    let mut group = Vec::with_capacity(GROUP);
    while jobs.blocking_recv_many(&mut group, GROUP) > 0 {
        let mut pending = Pending::new(tables);
        let mut answers = Vec::new();
        let mut closing = None;
        for job in group.drain(..) {
            match job {
                Job::Write(write, answer) => answers.push((answer, apply(write, &mut pending))),
                Job::Close(answer) => closing = Some(answer),
            }
        }
        let committed = pending.commit();
        for (answer, result) in answers {
            // Who asked may be gone; the write stays.
            let _asker_gone = answer.send(committed.clone().and(result));
        }
        if let Some(answer) = closing {
            jobs.close();
            let _asker_gone = answer.send(tables.database.persist(PersistMode::SyncAll).map_err(StoreError::from));
        }
    }
}

impl OnDisk {
    fn open(folder: &Path) -> Result<Self, StoreError> {
        // Few accounts are written at a time: small buffers keep memory and the replay after a crash small.
        let database = Database::builder(folder)
            .worker_threads(1)
            .cache_size(64 * 1024 * 1024)
            .max_journaling_size(64 * 1024 * 1024)
            .open()?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(4 * 1024 * 1024);
        let meta = database.keyspace("meta", options)?;
        match meta.get("format")? {
            None => {
                let mut batch = database.batch().durability(Some(PersistMode::SyncData));
                batch.insert(&meta, "format", FORMAT);
                batch.commit()?;
            }
            Some(format) if *format == *FORMAT => {}
            Some(format) => return Err(StoreError::UnknownFormat(String::from_utf8_lossy(&format).into_owned())),
        }
        Ok(Self {
            accounts: database.keyspace("accounts", options)?,
            logins: database.keyspace("logins", options)?,
            usernames: database.keyspace("usernames", options)?,
            last_seen: database.keyspace("seen", options)?,
            database,
        })
    }

    fn account(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        let bytes = self.accounts.get(user.uuid().as_bytes())?;
        bytes.map(|bytes| record::decode(user, &bytes)).transpose()
    }

    fn get_id(&self, table: &Keyspace, key: &[u8]) -> Result<Option<UserId>, StoreError> {
        table.get(key)?.map(|bytes| id(&bytes)).transpose()
    }
}

fn id(bytes: &[u8]) -> Result<UserId, StoreError> {
    let uuid = uuid::Uuid::from_slice(bytes).map_err(|_| StoreError::Damaged("an index entry".into()))?;
    Ok(UserId::from_uuid(uuid))
}

/// The tables with the writes of a group on top that are not committed yet.
struct Pending<'a> {
    tables: &'a OnDisk,
    batch: OwnedWriteBatch,
    accounts: HashMap<UserId, Account>,
    logins: HashMap<LoginKey, UserId>,
    /// None: removed.
    usernames: HashMap<Username, Option<UserId>>,
}

impl<'a> Pending<'a> {
    fn new(tables: &'a OnDisk) -> Self {
        let batch = tables.database.batch().durability(Some(PersistMode::SyncData));
        Self { tables, batch, accounts: HashMap::new(), logins: HashMap::new(), usernames: HashMap::new() }
    }

    fn commit(self) -> Result<(), StoreError> {
        if self.batch.is_empty() {
            return Ok(());
        }
        self.batch.commit().map_err(|error| {
            log::error!("accounts could not be written: {error}");
            StoreError::from(error)
        })
    }
}

impl Tables for Pending<'_> {
    fn account(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        match self.accounts.get(&user) {
            Some(account) => Ok(Some(account.clone())),
            None => self.tables.account(user),
        }
    }

    fn by_login(&self, key: &LoginKey) -> Result<Option<UserId>, StoreError> {
        match self.logins.get(key) {
            Some(&user) => Ok(Some(user)),
            None => self.tables.get_id(&self.tables.logins, key.tagged().as_bytes()),
        }
    }

    fn by_username(&self, username: &Username) -> Result<Option<UserId>, StoreError> {
        match self.usernames.get(username) {
            Some(&user) => Ok(user),
            None => self.tables.get_id(&self.tables.usernames, username.as_str().as_bytes()),
        }
    }

    fn put_account(&mut self, account: &Account) {
        let key = *account.id.uuid().as_bytes();
        self.batch.insert(&self.tables.accounts, key, record::encode(account));
        self.accounts.insert(account.id, account.clone());
    }

    fn put_login(&mut self, key: &LoginKey, user: UserId) {
        self.batch.insert(&self.tables.logins, key.tagged(), *user.uuid().as_bytes());
        self.logins.insert(key.clone(), user);
    }

    fn put_username(&mut self, username: &Username, user: UserId) {
        self.batch.insert(&self.tables.usernames, username.as_str(), *user.uuid().as_bytes());
        self.usernames.insert(username.clone(), Some(user));
    }

    fn remove_username(&mut self, username: &Username) {
        self.batch.remove(&self.tables.usernames, username.as_str());
        self.usernames.insert(username.clone(), None);
    }
}
