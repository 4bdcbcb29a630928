//! Opens what the configuration says the server keeps.

use std::sync::Arc;

use anyhow::Context;

use crate::clock::Clock;
use crate::config::{Config, StoreKind};
use crate::metrics::Metrics;
use crate::store::disk::DiskStore;
use crate::store::last_seen::LastSeenStore;
use crate::store::last_seen::memory::MemoryLastSeen;
use crate::store::memory::MemoryStore;
use crate::store::redis::RedisStores;
use crate::store::relations::RelationStore;
use crate::store::relations::memory::MemoryRelations;
use crate::store::{Store, StoreError};

/// What is kept.
pub struct Stores {
    pub accounts: Arc<dyn Store>,
    /// None: switched off.
    pub last_seen: Option<Arc<dyn LastSeenStore>>,
    pub relations: Arc<dyn RelationStore>,
}

impl Stores {
    pub fn open(config: &Config, clock: &Clock, metrics: &Metrics) -> anyhow::Result<Self> {
        if config.cluster.is_on() {
            return Self::open_shared(config, clock, metrics);
        }
        let expire = config.user_status.expire_interval.0;
        let lifetime = config.tencent.subscription_ttl.0;
        let (accounts, last_seen, relations): (Arc<dyn Store>, Arc<dyn LastSeenStore>, Arc<dyn RelationStore>) =
            match config.store.kind {
                StoreKind::Memory => {
                    let last_seen = MemoryLastSeen::new(expire, clock, metrics);
                    (Arc::new(MemoryStore::new()), Arc::new(last_seen), Arc::new(MemoryRelations::new()))
                }
                StoreKind::Disk => {
                    let path = &config.store.path;
                    let what = || format!("store.path = {:?}", path.display());
                    let store = DiskStore::open(path).with_context(what)?;
                    let last_seen = store.last_seen(expire, clock, metrics).with_context(what)?;
                    let relations = store.relations(clock.time_of_day(), lifetime).with_context(what)?;
                    (Arc::new(store), Arc::new(last_seen), Arc::new(relations))
                }
            };
        Ok(Self { accounts, last_seen: config.user_status.enabled.then_some(last_seen), relations })
    }

    /// Several nodes have the same, whatever kind of store one alone would have.
    fn open_shared(config: &Config, clock: &Clock, metrics: &Metrics) -> anyhow::Result<Self> {
        let expire = config.user_status.expire_interval.0;
        let RedisStores { accounts, relations, last_seen } =
            RedisStores::open(&config.cluster, expire, clock, metrics).context("cluster.redis")?;
        let last_seen: Option<Arc<dyn LastSeenStore>> =
            if config.user_status.enabled { Some(Arc::new(last_seen)) } else { None };
        Ok(Self { accounts: Arc::new(accounts), last_seen, relations: Arc::new(relations) })
    }
}

/// What became of a store that was closed. Redis being away at that moment is no fault of a stop in good order: the log
/// says what is lost by it, the last second's times at most.
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
    fn a_stop_is_in_good_order_though_redis_is_away_but_not_where_a_disk_fails() {
        assert!(closed(Ok(()), "x").is_ok());
        assert!(closed(Err(StoreError::Unavailable("away".into())), "x").is_ok());
        assert_eq!(closed(Err(StoreError::Closed), "not written").unwrap_err().to_string(), "not written");
    }
}
