//! The embedded database (fjall, a log-structured store) that the disk stores share.
//!
//! One database holds accounts, last-seen records, relations and revoked tokens, each in keyspaces of its own. Each store writes from a
//! thread of its own ([`super::group_commit`]) and reads directly, off the threads that serve clients ([`read`]).

use std::path::Path;
use std::time::Duration;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};
use futures_util::FutureExt;

use super::accounts::disk::DiskAccounts;
use super::last_seen::disk::DiskLastSeen;
use super::relations::disk::DiskRelations;
use super::revocations::disk::DiskRevocations;
use super::{StoreError, StoreFuture};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::presence::time::Timestamp;

/// The version of the format, which the store itself contains.
const FORMAT: &[u8] = b"1";

/// The open database. The folder stays locked while the database or one of its stores exists.
pub struct EmbeddedDatabase {
    database: Database,
}

impl From<fjall::Error> for StoreError {
    fn from(error: fjall::Error) -> Self {
        if matches!(error, fjall::Error::Locked) { Self::InUse } else { Self::Database(error.to_string()) }
    }
}

impl EmbeddedDatabase {
    /// Opens the database in a folder, and creates the folder if it is missing.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        // Few accounts are written at a time: small buffers keep memory and the replay after a crash small.
        let database = Database::builder(folder)
            .worker_threads(1)
            .cache_size(64 * 1024 * 1024)
            .max_journaling_size(64 * 1024 * 1024)
            .open()?;
        let meta = keyspace(&database, "meta")?;
        match meta.get("format")? {
            None => {
                let mut batch = synced_batch(&database);
                batch.insert(&meta, "format", FORMAT);
                batch.commit()?;
            }
            Some(format) if *format == *FORMAT => {}
            Some(format) => return Err(StoreError::UnknownFormat(String::from_utf8_lossy(&format).into_owned())),
        }
        Ok(Self { database })
    }

    /// Opens the accounts. Must be called once only.
    pub fn accounts(&self) -> Result<DiskAccounts, StoreError> {
        DiskAccounts::start(self.database.clone())
    }

    /// Opens the last-seen records. Must be called once only. A record is forgotten `expire` after its last update.
    pub fn last_seen(&self, expire: Duration, clock: &Clock, metrics: &Metrics) -> Result<DiskLastSeen, StoreError> {
        DiskLastSeen::start(self.database.clone(), expire, clock, metrics)
    }

    /// Opens the relations. Must be called once only. Subscriptions live for `lifetime` after a member's last connection.
    /// `now` is the time of day.
    pub fn relations(&self, now: Timestamp, lifetime: Duration) -> Result<DiskRelations, StoreError> {
        DiskRelations::start(self.database.clone(), now, lifetime)
    }

    /// Opens the revoked tokens. Must be called once only.
    pub fn revocations(&self, clock: &Clock) -> Result<DiskRevocations, StoreError> {
        DiskRevocations::start(self.database.clone(), clock)
    }
}

/// Opens a keyspace, and creates it if it is missing.
pub(super) fn keyspace(database: &Database, name: &str) -> Result<Keyspace, StoreError> {
    Ok(database.keyspace(name, || KeyspaceCreateOptions::default().max_memtable_size(4 * 1024 * 1024))?)
}

/// Begins a batch that is on disk when its commit returns.
pub(super) fn synced_batch(database: &Database) -> OwnedWriteBatch {
    database.batch().durability(Some(PersistMode::SyncData))
}

/// Runs a read on a thread that may block.
pub(super) fn read<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> StoreFuture<'static, T> {
    let reading = tokio::task::spawn_blocking(read);
    async move { reading.await.map_err(|error| StoreError::Database(error.to_string()))? }.boxed()
}
