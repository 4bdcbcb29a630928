//! Opens and closes the stores.

use std::sync::Arc;

use anyhow::Context;

use crate::clock::Clock;
use crate::cluster::message::activity_message;
use crate::config::{Config, StoreKind};
use crate::metrics::Metrics;
use crate::store::accounts::AccountStore;
use crate::store::accounts::memory::MemoryAccounts;
use crate::store::database::EmbeddedDatabase;
use crate::store::last_seen::LastSeenStore;
use crate::store::last_seen::memory::MemoryLastSeen;
use crate::store::redis::RedisStores;
use crate::store::relations::RelationStore;
use crate::store::relations::memory::MemoryRelations;
use crate::store::revocations::RevocationStore;
use crate::store::revocations::memory::MemoryRevocations;
use crate::store::{StoreError, StoreHealth};

/// Everything that the server stores. Clones share it.
#[derive(Clone)]
pub struct Stores {
    /// Nakama's accounts.
    pub accounts: Arc<dyn AccountStore>,
    /// When users were last seen, or `None` when `user_status.enabled` is false.
    pub last_seen: Option<Arc<dyn LastSeenStore>>,
    /// Friends, blocked users, subscriptions and logins of members.
    pub relations: Arc<dyn RelationStore>,
    /// Revoked tokens of Nakama's accounts.
    pub revocations: Arc<dyn RevocationStore>,
    /// Whether the stores can write.
    pub health: StoreHealth,
}

impl Stores {
    /// Opens the configured stores: those on Redis in a cluster, those of `store.kind` otherwise.
    pub fn open(config: &Config, clock: &Clock, metrics: &Metrics) -> anyhow::Result<Self> {
        if config.cluster.is_enabled() {
            return Self::open_on_redis(config, clock, metrics);
        }
        let expire = config.user_status.expire_interval.0;
        let lifetime = config.tencent.subscription_ttl.0;
        let is_last_seen_stored = config.user_status.enabled;
        match config.store.kind {
            StoreKind::Memory => Ok(Self {
                health: StoreHealth::default(),
                accounts: Arc::new(MemoryAccounts::new()),
                last_seen: is_last_seen_stored.then(|| Arc::new(MemoryLastSeen::new(expire, clock, metrics)) as _),
                relations: Arc::new(MemoryRelations::new()),
                revocations: Arc::new(MemoryRevocations::new()),
            }),
            StoreKind::Disk => {
                let path = &config.store.path;
                let what = || format!("store.path = {:?}", path.display());
                let database = EmbeddedDatabase::open(path, config.store.loss_policy, metrics).with_context(what)?;
                let last_seen = database.last_seen(expire, clock, metrics).with_context(what)?;
                Ok(Self {
                    health: database.health(),
                    accounts: Arc::new(database.accounts().with_context(what)?),
                    last_seen: is_last_seen_stored.then(|| Arc::new(last_seen) as _),
                    relations: Arc::new(database.relations(clock.time_of_day(), lifetime).with_context(what)?),
                    revocations: Arc::new(database.revocations(clock).with_context(what)?),
                })
            }
        }
    }

    /// The nodes of a cluster share the stores on Redis, whatever `store.kind` says.
    fn open_on_redis(config: &Config, clock: &Clock, metrics: &Metrics) -> anyhow::Result<Self> {
        let expire = config.user_status.expire_interval.0;
        let RedisStores { accounts, relations, revocations, last_seen } =
            RedisStores::open(&config.cluster, expire, clock, metrics, activity_message).context("cluster.redis")?;
        let last_seen: Option<Arc<dyn LastSeenStore>> =
            if config.user_status.enabled { Some(Arc::new(last_seen)) } else { None };
        Ok(Self {
            health: StoreHealth::default(),
            accounts: Arc::new(accounts),
            last_seen,
            relations: Arc::new(relations),
            revocations: Arc::new(revocations),
        })
    }
}

/// Returns the outcome of closing a store. An orderly stop succeeds also when Redis is not reachable at that moment:
/// the log names the failure, and at most the activities of the last second are lost.
pub fn closed(result: Result<(), StoreError>, failure: &'static str) -> anyhow::Result<()> {
    match result {
        Err(StoreError::Unavailable(reason)) => {
            log::warn!("{failure}: {reason}");
            Ok(())
        }
        other => other.context(failure),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_succeeds_without_redis_but_not_when_a_disk_fails() {
        assert!(closed(Ok(()), "x").is_ok());
        assert!(closed(Err(StoreError::Unavailable("no connection".into())), "x").is_ok());
        assert_eq!(closed(Err(StoreError::Closed), "not written").unwrap_err().to_string(), "not written");
    }
}
