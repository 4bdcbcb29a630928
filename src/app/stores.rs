//! Opens what the configuration says the server keeps.

use std::sync::Arc;

use anyhow::Context;

use crate::clock::Clock;
use crate::config::{Config, StoreKind};
use crate::metrics::Metrics;
use crate::store::Store;
use crate::store::disk::DiskStore;
use crate::store::memory::MemoryStore;
use crate::store::seen::SeenStore;
use crate::store::seen::memory::MemorySeen;

/// What is kept.
pub struct Stores {
    pub accounts: Arc<dyn Store>,
    /// None: switched off.
    pub seen: Option<Arc<dyn SeenStore>>,
}

impl Stores {
    pub fn open(config: &Config, clock: &Clock, metrics: &Metrics) -> anyhow::Result<Self> {
        let expire = config.user_status.expire_interval.0;
        let (accounts, seen): (Arc<dyn Store>, Arc<dyn SeenStore>) = match config.store.kind {
            StoreKind::Memory => (Arc::new(MemoryStore::new()), Arc::new(MemorySeen::new(expire, clock, metrics))),
            StoreKind::Disk => {
                let path = &config.store.path;
                let what = || format!("store.path = {:?}", path.display());
                let store = DiskStore::open(path).with_context(what)?;
                let seen = store.seen(expire, clock, metrics).with_context(what)?;
                (Arc::new(store), Arc::new(seen))
            }
        };
        Ok(Self { accounts, seen: config.user_status.enabled.then_some(seen) })
    }
}
