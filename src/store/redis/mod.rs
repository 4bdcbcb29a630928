//! Accounts, ties and last-seen records in Redis, where all nodes have the same.
//!
//! | file | |
//! |---|---|
//! | [`accounts`], [`names`] | accounts, and the usernames and logins that only one of them has |
//! | [`relations`] | standings and lists |
//! | [`last_seen`] | when users were last seen |
//! | [`records`] | reads records; writes those that are still what they were |
//! | [`gate`] | how much may be under way |
//!
//! The rules are those of the other stores. A write reads the record, changes it, and has a script write it if nobody has
//! meanwhile; else it changes what that one has written. The records are in the form in which they are on disk. Keys are
//! in [`crate::redis::keys`], connections in [`crate::redis::storage`].
//!
//! What is answered is in Redis's memory; how Redis is configured (`appendonly`, `appendfsync`, replicas) says what a crash
//! of Redis costs. A failover that loses writes may lose an account or what was claimed for it: then the name is free.

pub mod accounts;
mod gate;
pub mod last_seen;
mod names;
mod records;
pub mod relations;
#[cfg(test)]
pub mod tests;

use std::time::Duration;

use redis::Script;

use crate::clock::Clock;
use crate::config::ClusterConfig;
use crate::metrics::Metrics;
use crate::redis::error::CallError;
use crate::redis::error::StartError;
use crate::redis::storage::Storage;
use crate::store::StoreError;
use accounts::RedisStore;
use last_seen::{ActivityEncoder, RedisLastSeen};
use relations::RedisRelations;

/// All that is kept in Redis.
pub struct RedisStores {
    /// Accounts.
    pub accounts: RedisStore,
    /// Ties.
    pub relations: RedisRelations,
    /// Last-seen records.
    pub last_seen: RedisLastSeen,
}

impl RedisStores {
    /// Connects and checks; blocks. A last-seen record is forgotten `expire` after its last update.
    pub fn open(
        config: &ClusterConfig,
        expire: Duration,
        clock: &Clock,
        metrics: &Metrics,
        encode: ActivityEncoder,
    ) -> Result<Self, StartError> {
        let storage = Storage::open(config, clock, metrics)?;
        Ok(Self {
            accounts: RedisStore::new(storage.clone()),
            relations: RedisRelations::new(storage.clone()),
            last_seen: RedisLastSeen::start(storage, expire, clock, metrics, encode),
        })
    }
}

impl From<CallError> for StoreError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Unavailable(_) | CallError::Full(_) => Self::Unavailable(error.to_string()),
            CallError::Refused(_) => Self::Database(error.to_string()),
        }
    }
}

/// The scripts. Each is one atomic change; they are named by their content, so versions can run side by side.
struct Scripts {
    /// Writes a record that is still what it was.
    swap: Script,
    /// Takes a name.
    claim: Script,
    /// Frees a name.
    release: Script,
    /// Takes a sighting in.
    last_seen: Script,
    /// Takes in that many are online.
    online: Script,
}

impl Scripts {
    fn new() -> Self {
        Self {
            swap: Script::new(include_str!("scripts/swap.lua")),
            claim: Script::new(include_str!("scripts/claim.lua")),
            release: Script::new(include_str!("scripts/release.lua")),
            last_seen: Script::new(include_str!("scripts/seen.lua")),
            online: Script::new(include_str!("scripts/online.lua")),
        }
    }
}
