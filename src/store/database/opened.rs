//! What fjall has open: the database and its keyspaces.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::table::Table;
use crate::store::StoreError;

/// The version of the format, which the store itself contains.
const FORMAT: &[u8] = b"1";

/// The database and its keyspaces. Nothing else holds a handle of fjall, so that dropping this closes the database.
pub struct OpenedDatabase {
    database: Database,
    /// By [`Table`].
    keyspaces: [Keyspace; Table::ALL.len()],
}

/// A write of one key. `None` removes it.
pub type Write = (Table, Vec<u8>, Option<Vec<u8>>);

impl OpenedDatabase {
    /// Opens the database in a folder, and creates it if it is missing.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        // Few accounts are written at a time: small buffers keep memory and the replay after a crash small.
        let database = Database::builder(folder)
            .worker_threads(1)
            .cache_size(64 * 1024 * 1024)
            .max_journaling_size(64 * 1024 * 1024)
            .open()?;
        let open = |table: Table| {
            database.keyspace(table.name(), || KeyspaceCreateOptions::default().max_memtable_size(4 * 1024 * 1024))
        };
        let keyspaces: Vec<Keyspace> = Table::ALL.into_iter().map(open).collect::<Result<_, _>>()?;
        let keyspaces = keyspaces.try_into().ok().expect("one keyspace for each table");
        let opened = Self { database, keyspaces };
        opened.check_format()?;
        Ok(opened)
    }

    fn check_format(&self) -> Result<(), StoreError> {
        match self.keyspace(Table::Meta).get("format")? {
            None => self.commit([(Table::Meta, b"format".to_vec(), Some(FORMAT.to_vec()))]),
            Some(format) if *format == *FORMAT => Ok(()),
            Some(format) => Err(StoreError::UnknownFormat(String::from_utf8_lossy(&format).into_owned())),
        }
    }

    /// Returns the keyspace of a table.
    pub fn keyspace(&self, table: Table) -> &Keyspace {
        &self.keyspaces[table as usize]
    }

    /// Writes everything or nothing, and returns when it is on disk. After a failure fjall accepts no more writes, and
    /// whether these are carried out is known only when the database was opened again.
    pub fn commit(&self, writes: impl IntoIterator<Item = Write>) -> Result<(), StoreError> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for (table, key, value) in writes {
            match value {
                Some(value) => batch.insert(self.keyspace(table), key, value),
                None => batch.remove(self.keyspace(table), key),
            }
        }
        batch.commit().map_err(|error| StoreError::Unwritable(error.to_string()))
    }

    /// Syncs the journal.
    pub fn sync(&self) -> Result<(), StoreError> {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }

    /// Returns whether fjall still accepts writes. A flush or compaction that failed stops them, too.
    pub fn check(&self) -> Result<(), StoreError> {
        Ok(self.database.persist(PersistMode::Buffer)?)
    }
}
