//! The tables as the disk stores see them: reads and commits, whatever fjall has open at the moment.

use std::path::Path;
use std::sync::Arc;

use fjall::Slice;
use parking_lot::RwLock;

use super::folder;
use super::keeper;
use super::opened::{OpenedDatabase, Write};
use super::shared::{Current, KeeperSignal, SharedTables};
use super::table::Table;
use crate::config::LossPolicy;
use crate::metrics::Metrics;
use crate::store::{StoreError, StoreHealth};

/// The tables of the embedded database. Clones share them.
#[derive(Clone)]
pub struct DiskTables(Arc<SharedTables>);

/// Writes that are committed together.
pub struct WriteBatch {
    /// The opening of the database that the writes were checked against. After another one they are refused, because a
    /// write of a failed batch may have become visible.
    generation: u64,
    writes: Vec<Write>,
}

impl WriteBatch {
    /// Adds a write.
    pub fn insert(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.writes.push((table, key.into(), Some(value.into())));
    }

    /// Adds a removal.
    pub fn remove(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.writes.push((table, key.into(), None));
    }

    /// Returns whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Returns the number of writes.
    pub fn len(&self) -> usize {
        self.writes.len()
    }
}

impl DiskTables {
    /// Opens the database in a folder, and starts the thread that opens it again after a failure.
    pub fn open(folder: &Path, policy: LossPolicy, metrics: &Metrics) -> Result<Self, StoreError> {
        folder::protect(folder)?;
        let database = Some(Arc::new(OpenedDatabase::open(folder, policy)?));
        let shared = Arc::new(SharedTables {
            folder: folder.to_owned(),
            current: RwLock::new(Current { database, generation: 1 }),
            health: StoreHealth::default(),
            keeper: KeeperSignal::default(),
            metrics: metrics.store().clone(),
        });
        keeper::start(&shared)?;
        Ok(Self(shared))
    }

    /// Returns whether the database can write.
    pub fn health(&self) -> StoreHealth {
        self.0.health.clone()
    }

    /// Returns what all clones share.
    #[cfg(test)]
    pub fn shared(&self) -> &SharedTables {
        &self.0
    }

    /// Reads a key.
    pub fn get(&self, table: Table, key: &[u8]) -> Result<Option<Slice>, StoreError> {
        Ok(self.0.database()?.keyspace(table).get(key)?)
    }

    /// Reads up to `limit` entries from a key on, in the order of the keys.
    pub fn range(&self, table: Table, from: &[u8], limit: usize) -> Result<Vec<(Slice, Slice)>, StoreError> {
        let database = self.0.database()?;
        let entries = database.keyspace(table).range(from..).take(limit);
        entries.map(|entry| Ok(entry.into_inner()?)).collect()
    }

    /// Reads every entry, in the order of the keys.
    pub fn for_each(
        &self,
        table: Table,
        mut visit: impl FnMut(Slice, Slice) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let database = self.0.database()?;
        for entry in database.keyspace(table).iter() {
            let (key, value) = entry.into_inner()?;
            visit(key, value)?;
        }
        Ok(())
    }

    /// Begins an empty batch. Reads that its writes rely on come after this.
    pub fn batch(&self) -> WriteBatch {
        WriteBatch { generation: self.0.current.read().generation, writes: Vec::new() }
    }

    /// Writes a batch, all of it or nothing, and returns when it is on disk. After [`StoreError::Unwritable`] whether the
    /// writes are carried out is unknown.
    pub fn commit(&self, batch: WriteBatch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let database = {
            let current = self.0.current.read();
            let is_same = current.generation == batch.generation;
            current.database.clone().filter(|_| is_same).ok_or_else(reopening)?
        };
        database.commit(batch.writes).inspect_err(|error| self.0.fail(error))
    }

    /// Syncs everything that was committed.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.0.database().map_err(|_| reopening())?.sync()
    }

    /// Returns the number of entries of a table.
    #[cfg(test)]
    pub fn len(&self, table: Table) -> usize {
        self.0.database().unwrap().keyspace(table).len().unwrap()
    }
}

fn reopening() -> StoreError {
    StoreError::Unwritable("it is opened again after a failure".into())
}
