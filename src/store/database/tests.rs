//! The database after failures. `tests/it/disk_full.rs` has a disk that is full.

use std::path::Path;

use super::keeper::TEST_FILE;
use super::{DiskTables, Table};
use crate::metrics::Metrics;
use crate::store::StoreError;

fn insert(tables: &DiskTables, key: &str) -> Result<(), StoreError> {
    let mut batch = tables.batch();
    batch.insert(Table::Accounts, key, "value");
    tables.commit(batch)
}

fn has(tables: &DiskTables, key: &str) -> bool {
    tables.get(Table::Accounts, key.as_bytes()).unwrap().is_some()
}

fn fail(tables: &DiskTables) {
    tables.shared().fail(&StoreError::Unwritable("no space".into()));
    assert!(!tables.health().is_writable());
}

fn wait_until_writable(tables: &DiskTables) {
    while !tables.health().is_writable() {
        std::thread::yield_now();
    }
}

fn open(folder: &Path) -> DiskTables {
    DiskTables::open(folder, &Metrics::new()).unwrap()
}

#[test]
fn a_failed_database_is_opened_again_with_everything_that_was_committed() {
    let folder = tempfile::tempdir().unwrap();
    let tables = open(folder.path());
    for round in 0..5 {
        insert(&tables, &format!("before-{round}")).unwrap();
        fail(&tables);
        wait_until_writable(&tables);
        insert(&tables, &format!("after-{round}")).unwrap();
    }
    assert!((0..5).all(|round| has(&tables, &format!("before-{round}")) && has(&tables, &format!("after-{round}"))));
}

#[test]
fn a_batch_from_before_the_failure_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let tables = open(folder.path());
    let mut old = tables.batch();
    old.insert(Table::Accounts, "old", "value");
    fail(&tables);
    wait_until_writable(&tables);
    assert!(matches!(tables.commit(old), Err(StoreError::Unwritable(_))));
    assert!(!has(&tables, "old"));
}

#[test]
fn while_the_disk_takes_no_file_reads_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let tables = open(folder.path());
    insert(&tables, "key").unwrap();
    // No file of this name can be written.
    let obstacle = folder.path().join(TEST_FILE);
    std::fs::create_dir(&obstacle).unwrap();
    fail(&tables);
    for _ in 0..100 {
        assert!(has(&tables, "key"));
    }
    assert!(!tables.health().is_writable());
    std::fs::remove_dir(&obstacle).unwrap();
    wait_until_writable(&tables);
    assert!(has(&tables, "key"));
}
