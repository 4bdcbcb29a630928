//! The embedded database (fjall, a log-structured store) that the disk stores share.
//!
//! One database holds accounts, last-seen records, relations and revoked tokens, each in tables of its own ([`table`]).
//! Each store writes from a thread of its own ([`super::group_commit`]) and reads directly, off the threads that serve
//! clients ([`read`]). The stores see [`DiskTables`] only. [`opened`] is what fjall has open, [`marker`] says what
//! it must have. After a failed write [`keeper`] opens it again. [`folder`] has the permissions.

mod folder;
mod keeper;
mod marker;
mod opened;
mod shared;
pub(super) mod table;
mod tables;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Duration;

use futures_util::FutureExt;

use super::accounts::disk::DiskAccounts;
use super::last_seen::disk::DiskLastSeen;
use super::relations::disk::DiskRelations;
use super::revocations::disk::DiskRevocations;
use super::{StoreError, StoreFuture, StoreHealth};
use crate::clock::Clock;
use crate::config::LossPolicy;
use crate::metrics::Metrics;
use crate::presence::time::Timestamp;

pub(super) use table::Table;
pub(super) use tables::{DiskTables, WriteBatch};

/// The open database. The folder stays locked while the database or one of its stores exists.
pub struct EmbeddedDatabase {
    tables: DiskTables,
}

impl From<fjall::Error> for StoreError {
    fn from(error: fjall::Error) -> Self {
        if matches!(error, fjall::Error::Locked) { Self::InUse } else { Self::Database(error.to_string()) }
    }
}

impl EmbeddedDatabase {
    /// Opens the database in a folder, and creates the folder if it is missing. Closes the folder to other users of the
    /// machine. Fails when records were lost, unless the policy accepts that.
    pub fn open(folder: &Path, policy: LossPolicy, metrics: &Metrics) -> Result<Self, StoreError> {
        Ok(Self { tables: DiskTables::open(folder, policy, metrics)? })
    }

    /// Opens the database of a test.
    #[cfg(test)]
    pub fn open_in(folder: &Path) -> Result<Self, StoreError> {
        Self::open(folder, LossPolicy::Refuse, &Metrics::new())
    }

    /// Returns whether the database can write.
    pub fn health(&self) -> StoreHealth {
        self.tables.health()
    }

    /// Opens the accounts. Must be called once only.
    pub fn accounts(&self) -> Result<DiskAccounts, StoreError> {
        DiskAccounts::start(self.tables.clone())
    }

    /// Opens the last-seen records. Must be called once only. A record is forgotten `expire` after its last update.
    pub fn last_seen(&self, expire: Duration, clock: &Clock, metrics: &Metrics) -> Result<DiskLastSeen, StoreError> {
        DiskLastSeen::start(self.tables.clone(), expire, clock, metrics)
    }

    /// Opens the relations. Must be called once only. Subscriptions live for `lifetime` after a member's last connection.
    /// `now` is the time of day.
    pub fn relations(&self, now: Timestamp, lifetime: Duration) -> Result<DiskRelations, StoreError> {
        DiskRelations::start(self.tables.clone(), now, lifetime)
    }

    /// Opens the revoked tokens. Must be called once only.
    pub fn revocations(&self, clock: &Clock) -> Result<DiskRevocations, StoreError> {
        DiskRevocations::start(self.tables.clone(), clock)
    }
}

/// Runs a read on a thread that may block.
pub(super) fn read<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> StoreFuture<'static, T> {
    let reading = tokio::task::spawn_blocking(read);
    async move { reading.await.map_err(|error| StoreError::Database(error.to_string()))? }.boxed()
}
