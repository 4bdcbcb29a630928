//! What fjall has open: the database and its keyspaces, with the marker of what was committed.

use std::fs::{File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use parking_lot::Mutex;

use super::marker::{self, Marker, MarkerContent, MarkerFile};
use super::table::Table;
use crate::config::LossPolicy;
use crate::store::StoreError;

/// The version of the format, which the store itself contains.
const FORMAT: &[u8] = b"1";

/// Key of the number of commits in the table `meta`.
const COMMITS: &str = "commits";

/// The database and its keyspaces. Nothing else holds a handle of fjall, so that dropping this closes the database.
pub struct OpenedDatabase {
    folder: PathBuf,
    database: Database,
    /// By [`Table`].
    keyspaces: [Keyspace; Table::ALL.len()],
    /// Also orders the commits.
    commits: Mutex<CommitCounter>,
}

/// Counts the commits.
struct CommitCounter {
    number: u64,
    marker: MarkerFile,
}

/// A write of one key. `None` removes it.
pub type Write = (Table, Vec<u8>, Option<Vec<u8>>);

impl OpenedDatabase {
    /// Opens the database in a folder, and creates it if it is missing. Fails when records were lost, unless the policy
    /// accepts that.
    pub fn open(folder: &Path, policy: LossPolicy) -> Result<Self, StoreError> {
        let failed = |error: std::io::Error| StoreError::Database(error.to_string());
        refuse_if_in_use(folder).map_err(failed)??;
        let (mut marker_file, known) = match MarkerFile::open(folder).map_err(failed)? {
            (file, MarkerContent::None) => (file, None),
            (file, MarkerContent::Intact(marker)) => (file, Some(marker)),
            (file, MarkerContent::Damaged) => {
                accept_or_refuse(Some(format!("the file {} is damaged", marker::FILE_NAME)), policy)?;
                (file, None)
            }
        };
        if let Some(known) = &known {
            accept_or_refuse(known.lost_journal(&marker::journals(folder).map_err(failed)?), policy)?;
            // fjall is about to cut off unfinished tails: until it has, the lengths do not count.
            let written = marker_file.write(&Marker { commits: known.commits, journals: Vec::new() });
            written.and_then(|()| marker_file.sync(folder)).map_err(failed)?;
        }
        replace_missing_journal(folder, known.as_ref()).map_err(failed)?;
        let (database, keyspaces) = open_keyspaces(folder)?;
        let held = held_commits(&keyspaces[Table::Meta as usize])?;
        let lost = match (&known, held) {
            (Some(known), held) if held.unwrap_or(0) < known.commits => {
                Some(format!("the database has {} of {} commits", held.unwrap_or(0), known.commits))
            }
            (None, Some(_)) => Some(format!("the file {} is missing", marker::FILE_NAME)),
            (Some(_), _) | (None, None) => None,
        };
        accept_or_refuse(lost, policy)?;
        // A later commit must not have a number that was given before.
        let number = held.unwrap_or(0).max(known.map_or(0, |known| known.commits));
        let mut counter = CommitCounter { number, marker: marker_file };
        counter.write_marker(folder).and_then(|()| counter.marker.sync(folder)).map_err(failed)?;
        let opened = Self { folder: folder.to_owned(), database, keyspaces, commits: Mutex::new(counter) };
        if held != Some(number) {
            // The first start, and the first one after an accepted loss.
            opened.commit([])?;
        }
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
        let mut counter = self.commits.lock();
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncData));
        for (table, key, value) in writes {
            match value {
                Some(value) => batch.insert(self.keyspace(table), key, value),
                None => batch.remove(self.keyspace(table), key),
            }
        }
        batch.insert(self.keyspace(Table::Meta), COMMITS, (counter.number + 1).to_be_bytes());
        batch.commit().map_err(|error| StoreError::Unwritable(error.to_string()))?;
        counter.number += 1;
        // The commit is on disk. Without this marker, the next start notices only the loss of earlier ones.
        let marked = counter.write_marker(&self.folder);
        marked.unwrap_or_else(|error| log::debug!("the marker of commits could not be written: {error}"));
        Ok(())
    }

    /// Syncs the journal and the marker.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.database.persist(PersistMode::SyncAll)?;
        let synced = self.commits.lock().marker.sync(&self.folder);
        synced.map_err(|error| StoreError::Database(error.to_string()))
    }

    /// Returns whether fjall still accepts writes. A flush or compaction that failed stops them, too.
    pub fn check(&self) -> Result<(), StoreError> {
        Ok(self.database.persist(PersistMode::Buffer)?)
    }
}

impl CommitCounter {
    fn write_marker(&mut self, folder: &Path) -> std::io::Result<()> {
        self.marker.write(&Marker { commits: self.number, journals: marker::journals(folder)? })
    }
}

/// Looks at fjall's lock, before anything of a database is read that another process may be writing.
fn refuse_if_in_use(folder: &Path) -> std::io::Result<Result<(), StoreError>> {
    let lock = match File::open(folder.join("lock")) {
        Ok(lock) => lock,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Ok(())),
        Err(error) => return Err(error),
    };
    match lock.try_lock() {
        Ok(()) => Ok(Ok(())),
        Err(TryLockError::WouldBlock) => Ok(Err(StoreError::InUse)),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Creates an empty journal when the folder has a database and no journal. Without one, fjall counts its writes from zero
/// again, and takes new writes for older than those in its tables.
fn replace_missing_journal(folder: &Path, known: Option<&Marker>) -> std::io::Result<()> {
    if !folder.join("version").try_exists()? || !marker::journals(folder)?.is_empty() {
        return Ok(());
    }
    let newest = known.and_then(|known| known.journals.last());
    let number = newest.map_or(0, |journal| journal.number + 1);
    File::create_new(folder.join(format!("{number}.jnl"))).map(drop)
}

fn open_keyspaces(folder: &Path) -> Result<(Database, [Keyspace; Table::ALL.len()]), StoreError> {
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
    Ok((database, keyspaces.try_into().ok().expect("one keyspace for each table")))
}

/// Returns the number of commits that the database has. `None` means that an earlier version of this program, which did not
/// count them, or none has written it.
fn held_commits(meta: &Keyspace) -> Result<Option<u64>, StoreError> {
    let number = |bytes: &[u8]| bytes.try_into().ok().map(u64::from_be_bytes);
    match meta.get(COMMITS)? {
        None => Ok(None),
        Some(bytes) => number(&bytes).map(Some).ok_or_else(|| StoreError::Damaged("the number of commits".into())),
    }
}

fn accept_or_refuse(lost: Option<String>, policy: LossPolicy) -> Result<(), StoreError> {
    match (lost, policy) {
        (None, _) => Ok(()),
        (Some(lost), LossPolicy::Accept) => {
            log::warn!("records were lost, and the loss is accepted: {lost}");
            Ok(())
        }
        (Some(lost), LossPolicy::Refuse) => Err(StoreError::Refused(format!(
            "records were lost: {lost}. Restore the folder from a backup, or start once with --accept-loss to go on \
             without them"
        ))),
    }
}
