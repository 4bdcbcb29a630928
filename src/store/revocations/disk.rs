//! Revoked tokens in the embedded database. [`crate::store::group_commit`] says how writes are committed.
//!
//! Each commit also examines a part of the records and removes the expired ones.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::ready;
use uuid::Uuid;

use super::SWEEP_STRIDE;
use super::filter::RevocationFilter;
use super::port::RevocationStore;
use super::record::{after, decode, encode};
use crate::auth::revocation::{Revocation, UserRevocations};
use crate::clock::Clock;
use crate::presence::id::UserId;
use crate::presence::time::Timestamp;
use crate::store::database::{DiskTables, Table, WriteBatch, read};
use crate::store::group_commit::{GroupStore, GroupWriter};
use crate::store::{StoreError, StoreFuture};

/// Revoked tokens on disk.
pub struct DiskRevocations {
    shared: Arc<DiskShared>,
    writer: GroupWriter<RevocationGroup>,
}

struct DiskShared {
    tables: DiskTables,
    filter: RevocationFilter,
    clock: Clock,
}

impl DiskRevocations {
    /// Starts the writer. Reads every record once, for the filter.
    pub(in crate::store) fn start(tables: DiskTables, clock: &Clock) -> Result<Self, StoreError> {
        let shared = DiskShared { tables, filter: RevocationFilter::new(), clock: clock.clone() };
        shared.fill_filter()?;
        let shared = Arc::new(shared);
        let writer = RevocationWriter { shared: shared.clone(), cursor: None };
        Ok(Self { writer: GroupWriter::start("revocations", None, writer)?, shared })
    }

    /// Returns the number of records on disk, expired ones included.
    #[cfg(test)]
    pub fn records_on_disk(&self) -> usize {
        self.shared.tables.len(Table::Revocations)
    }
}

impl RevocationStore for DiskRevocations {
    fn revoke(&self, user: UserId, revocation: Revocation) -> StoreFuture<'_, ()> {
        self.writer.write(move |group| group.revoke(user, &revocation))
    }

    fn revocations(&self, user: UserId) -> StoreFuture<'_, UserRevocations> {
        if !self.shared.filter.may_have(user, self.shared.clock.time_of_day()) {
            return ready(Ok(UserRevocations::default())).boxed();
        }
        let shared = self.shared.clone();
        read(move || shared.record(user))
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.writer.close().boxed()
    }
}

impl DiskShared {
    fn record(&self, user: UserId) -> Result<UserRevocations, StoreError> {
        let record = self.tables.get(Table::Revocations, user.uuid_bytes())?;
        record.map_or(Ok(UserRevocations::default()), |record| decode(user, &record))
    }

    fn fill_filter(&self) -> Result<(), StoreError> {
        self.tables.for_each(Table::Revocations, |key, value| {
            let Ok(uuid) = Uuid::from_slice(&key) else { return Ok(()) };
            let user = UserId::from_uuid(uuid);
            // A damaged record stays visible, until a check of a token finds and replaces it.
            let damaged_until = Timestamp::from_micros(u64::MAX);
            self.filter.note(user, decode(user, &value).map_or(damaged_until, |record| record.expires()));
            Ok(())
        })
    }
}

/// The store on the writer's thread.
struct RevocationWriter {
    shared: Arc<DiskShared>,
    /// The record at which the search for expired records continues.
    cursor: Option<Uuid>,
}

impl GroupStore for RevocationWriter {
    type Group = RevocationGroup;

    fn begin(&mut self) -> RevocationGroup {
        RevocationGroup { batch: self.shared.tables.batch(), shared: self.shared.clone(), records: HashMap::new() }
    }

    fn commit(&mut self, mut group: RevocationGroup) -> Result<(), StoreError> {
        if group.batch.is_empty() {
            return Ok(());
        }
        self.sweep(&mut group)?;
        self.shared.tables.commit(group.batch)
    }
}

impl RevocationWriter {
    /// Removes the expired ones of the next records: [`SWEEP_STRIDE`] for each record of the group.
    fn sweep(&mut self, group: &mut RevocationGroup) -> Result<(), StoreError> {
        let now = self.shared.clock.time_of_day();
        let stride = SWEEP_STRIDE * group.records.len();
        let from = self.cursor.unwrap_or_default();
        let entries = self.shared.tables.range(Table::Revocations, from.as_bytes(), stride)?;
        let examined = entries.len();
        for (key, value) in entries {
            let Ok(uuid) = Uuid::from_slice(&key) else { continue };
            let user = UserId::from_uuid(uuid);
            self.cursor = Some(uuid);
            let is_expired = decode(user, &value).is_ok_and(|record| record.expires() <= now);
            if is_expired && !group.records.contains_key(&user) {
                group.batch.remove(Table::Revocations, uuid.into_bytes());
            }
        }
        if examined < stride {
            self.cursor = None;
        }
        Ok(())
    }
}

/// The table with the uncommitted writes of a group on top.
struct RevocationGroup {
    shared: Arc<DiskShared>,
    batch: WriteBatch,
    records: HashMap<UserId, UserRevocations>,
}

impl RevocationGroup {
    fn revoke(&mut self, user: UserId, revocation: &Revocation) -> Result<(), StoreError> {
        let record = match self.records.get(&user) {
            Some(record) => {
                let mut record = record.clone();
                record.apply(revocation);
                record
            }
            None => {
                let held = self.shared.tables.get(Table::Revocations, user.uuid_bytes())?;
                after(user, held.as_deref(), revocation)
            }
        };
        // Before the commit: from the reply on, every check must find the record.
        self.shared.filter.note(user, record.expires());
        self.batch.insert(Table::Revocations, *user.uuid_bytes(), encode(&record));
        self.records.insert(user, record);
        Ok(())
    }
}
