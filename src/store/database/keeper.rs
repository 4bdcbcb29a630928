//! The thread that watches the database, and opens it again after a failed write.
//!
//! After a failed write or sync fjall refuses every further write until it is opened again, because it does not know what
//! is on disk. The keeper waits until a test file can be written, closes the database, and opens it. That replays the
//! journal: acknowledged writes are there, and of the failed batch all or nothing.
//!
//! Until the test file can be written reads go on. While the database is opened, for some milliseconds, reads fail.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::opened::OpenedDatabase;
use super::shared::{Current, KeeperSignal, SharedTables};
use crate::config::LossPolicy;
use crate::store::StoreError;

/// How often the keeper checks a database that works.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// The first pause between two attempts to open a database that failed. It doubles up to [`MAX_PAUSE`].
const MIN_PAUSE: Duration = Duration::from_millis(50);

/// Maximum pause between two attempts.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// How long the keeper waits for the reads that are under way before it gives up an attempt.
const MAX_READ: Duration = Duration::from_secs(10);

/// Name and size of the test file. A database that opens writes less.
pub const TEST_FILE: &str = "writable-test";
const TEST_BYTES: usize = 256 * 1024;

/// Starts the thread. It ends after the last clone of the tables is dropped.
pub fn start(tables: &Arc<SharedTables>) -> Result<(), StoreError> {
    let (signal, tables) = (tables.keeper.clone(), Arc::downgrade(tables));
    let thread = std::thread::Builder::new().name("store-keeper".into());
    let started = thread.spawn(move || run(&signal, &tables));
    started.map(drop).map_err(|error| StoreError::Database(error.to_string()))
}

fn run(signal: &KeeperSignal, tables: &Weak<SharedTables>) {
    let mut pause = CHECK_INTERVAL;
    loop {
        signal.wait(pause);
        let Some(tables) = tables.upgrade() else { return };
        if tables.health.is_writable() {
            pause = CHECK_INTERVAL;
            if let Err(error) = tables.database().and_then(|database| database.check()) {
                tables.fail(&error);
            }
            continue;
        }
        match reopen(&tables) {
            Ok(()) => {
                tables.health.set_writable(true);
                tables.metrics.writable.set(1);
                log::info!("the store can write again");
                pause = CHECK_INTERVAL;
            }
            Err(error) => {
                log::debug!("the store cannot write yet: {error}");
                pause = if pause == CHECK_INTERVAL { MIN_PAUSE } else { (pause * 2).min(MAX_PAUSE) };
            }
        }
    }
}

/// Closes the database and opens it, if the disk takes a test file.
fn reopen(tables: &SharedTables) -> Result<(), StoreError> {
    test_disk(&tables.folder).map_err(|error| StoreError::Unwritable(error.to_string()))?;
    let closing = {
        let mut current = tables.current.write();
        current.generation += 1;
        current.database.take()
    };
    // Without the lock: the last reader or this closes the database.
    let closing = closing.map(|database| Arc::downgrade(&database));
    let mut waited = Duration::ZERO;
    while let Some(database) = closing.as_ref().and_then(Weak::upgrade) {
        if waited > MAX_READ {
            tables.current.write().database = Some(database);
            return Err(StoreError::Busy);
        }
        drop(database);
        std::thread::sleep(Duration::from_millis(1));
        waited += Duration::from_millis(1);
    }
    let database = Arc::new(OpenedDatabase::open(&tables.folder, LossPolicy::Refuse)?);
    let mut current = tables.current.write();
    *current = Current { database: Some(database), generation: current.generation + 1 };
    Ok(())
}

/// Writes, syncs and removes a test file.
fn test_disk(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(TEST_FILE);
    let written = File::create(&path).and_then(|mut file| {
        file.write_all(&[0; TEST_BYTES])?;
        file.sync_all()
    });
    let removed = std::fs::remove_file(&path);
    written.and(removed)
}
