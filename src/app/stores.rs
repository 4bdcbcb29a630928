//! Opens what the configuration says the server keeps.

use std::sync::Arc;

use anyhow::Context;

use crate::clock::Clock;
use crate::config::{Config, StoreKind};
use crate::metrics::Metrics;
use crate::store::disk::DiskStore;
use crate::store::memory::MemoryStore;
use crate::store::redis::RedisStores;
use crate::store::seen::SeenStore;
use crate::store::seen::memory::MemorySeen;
use crate::store::ties::TieStore;
use crate::store::ties::memory::MemoryTies;
use crate::store::{Store, StoreError};

/// What is kept.
pub struct Stores {
    pub accounts: Arc<dyn Store>,
    /// None: switched off.
    pub seen: Option<Arc<dyn SeenStore>>,
    pub ties: Arc<dyn TieStore>,
}

impl Stores {
    pub fn open(config: &Config, clock: &Clock, metrics: &Metrics) -> anyhow::Result<Self> {
        if config.cluster.is_on() {
            return Self::open_shared(config, clock, metrics);
        }
        let expire = config.user_status.expire_interval.0;
        let lifetime = config.tencent.subscription_ttl.0;
        let (accounts, seen, ties): (Arc<dyn Store>, Arc<dyn SeenStore>, Arc<dyn TieStore>) = match config.store.kind {
            StoreKind::Memory => {
                let seen = MemorySeen::new(expire, clock, metrics);
                (Arc::new(MemoryStore::new()), Arc::new(seen), Arc::new(MemoryTies::new()))
            }
            StoreKind::Disk => {
                let path = &config.store.path;
                let what = || format!("store.path = {:?}", path.display());
                let store = DiskStore::open(path).with_context(what)?;
                let seen = store.seen(expire, clock, metrics).with_context(what)?;
                let ties = store.ties(clock.time_of_day(), lifetime).with_context(what)?;
                (Arc::new(store), Arc::new(seen), Arc::new(ties))
            }
        };
        Ok(Self { accounts, seen: config.user_status.enabled.then_some(seen), ties })
    }

    /// Several nodes have the same, whatever kind of store one alone would have.
    fn open_shared(config: &Config, clock: &Clock, metrics: &Metrics) -> anyhow::Result<Self> {
        let expire = config.user_status.expire_interval.0;
        let RedisStores { accounts, ties, seen } =
            RedisStores::open(&config.cluster, expire, clock, metrics).context("cluster.redis")?;
        let seen: Option<Arc<dyn SeenStore>> = if config.user_status.enabled { Some(Arc::new(seen)) } else { None };
        Ok(Self { accounts: Arc::new(accounts), seen, ties: Arc::new(ties) })
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
