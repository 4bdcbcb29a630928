//! The database after failures. `tests/it/disk_full.rs` has a disk that is full.

use std::path::Path;

use super::keeper::TEST_FILE;
use super::{DiskTables, Table};
use crate::config::LossPolicy;
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
    open_with(folder, LossPolicy::Refuse)
}

/// Opens the database, as soon as the keeper of an earlier one has let go of it.
fn open_with(folder: &Path, policy: LossPolicy) -> DiskTables {
    loop {
        match DiskTables::open(folder, policy, &Metrics::new()) {
            Err(StoreError::InUse) => std::thread::yield_now(),
            opened => return opened.unwrap(),
        }
    }
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

#[test]
fn an_accepted_loss_of_the_journal_costs_no_record_of_a_table() {
    let folder = tempfile::tempdir().unwrap();
    {
        let tables = open(folder.path());
        insert(&tables, "flushed").unwrap();
        tables.shared().database().unwrap().keyspace(Table::Accounts).rotate_memtable_and_wait().unwrap();
        insert(&tables, "lost").unwrap();
    }
    // The keeper may still close the database.
    drop(open(folder.path()));
    for journal in super::marker::journals(folder.path()).unwrap() {
        std::fs::remove_file(folder.path().join(format!("{}.jnl", journal.number))).unwrap();
    }
    let refused = loop {
        match DiskTables::open(folder.path(), LossPolicy::Refuse, &Metrics::new()) {
            Err(StoreError::InUse) => std::thread::yield_now(),
            other => break other.err(),
        }
    };
    assert!(matches!(&refused, Some(StoreError::Refused(reason)) if reason.contains("is missing")), "{refused:?}");
    for policy in [LossPolicy::Accept, LossPolicy::Refuse] {
        let tables = open_with(folder.path(), policy);
        assert!(has(&tables, "flushed") && !has(&tables, "lost"));
        let mut batch = tables.batch();
        batch.insert(Table::Accounts, "flushed", "newer");
        tables.commit(batch).unwrap();
        assert_eq!(tables.get(Table::Accounts, b"flushed").unwrap().as_deref(), Some(b"newer".as_slice()));
    }
}
