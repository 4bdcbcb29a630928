//! What the stores in Redis share. The stores are in [`super::accounts::redis`], [`super::last_seen::redis`] and
//! [`super::relations::redis`].
//!
//! | file | holds |
//! |---|---|
//! | [`records`] | reads records, and swaps a record that has not changed in the meantime |
//! | [`request_limiter`] | the limit of the requests that are under way |
//! | `scripts/*.lua` | the scripts |
//!
//! The rules are those of the other stores. A write reads the record, changes it, and calls a script that writes it if no
//! other node has written it in the meantime; otherwise the write starts over with the other node's record. Records have
//! the same form as on disk. Key names are in [`crate::redis::keys`], connections in [`crate::redis::storage`].
//!
//! A reply means that the write is in Redis's memory. The configuration of Redis (`appendonly`, `appendfsync`, replicas)
//! decides what a crash of Redis costs. A failover that loses writes may lose an account or its claims: then the name is
//! free.

pub(super) mod records;
pub(super) mod request_limiter;
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
use crate::store::accounts::redis::RedisAccounts;
use crate::store::last_seen::redis::{ActivityEncoder, RedisLastSeen};
use crate::store::relations::redis::RedisRelations;
use crate::store::revocations::redis::RedisRevocations;

/// All stores in Redis.
pub struct RedisStores {
    /// Accounts.
    pub accounts: RedisAccounts,
    /// Relations.
    pub relations: RedisRelations,
    /// Revoked tokens.
    pub revocations: RedisRevocations,
    /// Last-seen records.
    pub last_seen: RedisLastSeen,
}

impl RedisStores {
    /// Connects to every Redis and checks it. Blocks the caller. A last-seen record is forgotten `expire` after its last
    /// update. `encode` builds the messages that tell other nodes about activities.
    pub fn open(
        config: &ClusterConfig,
        expire: Duration,
        clock: &Clock,
        metrics: &Metrics,
        encode: ActivityEncoder,
    ) -> Result<Self, StartError> {
        let storage = Storage::open(config, clock, metrics)?;
        Ok(Self {
            accounts: RedisAccounts::new(storage.clone()),
            relations: RedisRelations::new(storage.clone()),
            revocations: RedisRevocations::new(storage.clone()),
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

/// The scripts of the stores. Each is one atomic change. Redis names a script by its content, so that several versions of
/// this program can run side by side.
pub(super) struct StoreScripts {
    /// Writes a record that has not changed in the meantime.
    pub swap: Script,
    /// Claims a name.
    pub claim: Script,
    /// Releases a claim.
    pub release: Script,
    /// Takes in an activity.
    pub last_seen: Script,
    /// Takes in that many users are online.
    pub online: Script,
}

impl StoreScripts {
    pub fn new() -> Self {
        Self {
            swap: Script::new(include_str!("scripts/swap.lua")),
            claim: Script::new(include_str!("scripts/claim.lua")),
            release: Script::new(include_str!("scripts/release.lua")),
            last_seen: Script::new(include_str!("scripts/seen.lua")),
            online: Script::new(include_str!("scripts/online.lua")),
        }
    }
}
