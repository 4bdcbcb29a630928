//! What the tables and the keeper share: the open database, and whether it can write.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex, RwLock};

use super::opened::OpenedDatabase;
use crate::metrics::StoreMetrics;
use crate::store::{StoreError, StoreHealth};

/// What all clones share.
pub struct SharedTables {
    /// Where the database is.
    pub folder: PathBuf,
    /// What reads and commits use.
    pub current: RwLock<Current>,
    /// Whether the database can write, for the server's readiness.
    pub health: StoreHealth,
    /// Wakes the keeper after a failure.
    pub keeper: KeeperSignal,
    /// Counts failures.
    pub metrics: StoreMetrics,
}

/// The open database.
pub struct Current {
    /// `None` while it is opened again after a failure.
    pub database: Option<Arc<OpenedDatabase>>,
    /// Counts how often it was opened.
    pub generation: u64,
}

impl SharedTables {
    /// Returns the open database.
    pub fn database(&self) -> Result<Arc<OpenedDatabase>, StoreError> {
        let reopening = || StoreError::Unavailable("it is opened again after a failure".into());
        self.current.read().database.clone().ok_or_else(reopening)
    }

    /// Notes that the database cannot write. The first failure is logged and wakes the keeper.
    pub fn fail(&self, error: &StoreError) {
        if self.health.set_writable(false) {
            log::error!("the store cannot write, trying again: {error}");
            self.metrics.failures.inc();
            self.metrics.writable.set(0);
            self.keeper.wake();
        }
    }
}

/// Wakes the keeper before its time.
#[derive(Clone, Default)]
pub struct KeeperSignal(Arc<(Mutex<bool>, Condvar)>);

impl KeeperSignal {
    /// Wakes the keeper.
    pub fn wake(&self) {
        *self.0.0.lock() = true;
        self.0.1.notify_one();
    }

    /// Waits until the keeper is woken, or until the pause is over.
    pub fn wait(&self, pause: Duration) {
        let mut woken = self.0.0.lock();
        if !*woken {
            let _woken_or_late = self.0.1.wait_for(&mut woken, pause);
        }
        *woken = false;
    }
}
