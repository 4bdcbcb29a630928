//! Relations in the embedded database. [`crate::store::group_commit`] says how writes are committed.
//!
//! Before its first group, the writer marks every member that was logged in when the server ended as lost, and forgets
//! what has expired.

use std::collections::HashMap;
use std::time::Duration;

use futures_util::FutureExt;

use super::port::RelationStore;
use super::record::{decode_member, decode_roster, encode_member, encode_roster};
use super::rules::{RelationTables, change_member, change_roster};
use super::{ChangedMember, RosterChange};
use crate::presence::id::UserId;
use crate::presence::member_record::{LoginState, MemberRecord, RelationChange};
use crate::presence::quota::QuotaExceeded;
use crate::presence::roster::{Roster, RosterKind};
use crate::presence::time::Timestamp;
use crate::store::database::{DiskTables, Table, WriteBatch, read};
use crate::store::group_commit::{GroupStore, GroupWriter, MAX_GROUP};
use crate::store::{StoreError, StoreFuture};

/// Relations on disk.
pub struct DiskRelations {
    tables: DiskTables,
    writer: GroupWriter<RelationGroup>,
}

impl DiskRelations {
    /// Starts the writer. `now` is the time at which members count as lost that were logged in. Subscriptions live for
    /// `lifetime` after a member's last connection.
    pub(in crate::store) fn start(tables: DiskTables, now: Timestamp, lifetime: Duration) -> Result<Self, StoreError> {
        let writer = RelationWriter { tables: tables.clone(), now, lifetime };
        Ok(Self { tables, writer: GroupWriter::start("relations", None, writer)? })
    }

    fn read<T: Send + 'static>(
        &self,
        look_up: impl FnOnce(&DiskTables) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        let tables = self.tables.clone();
        read(move || look_up(&tables))
    }
}

impl RelationStore for DiskRelations {
    fn change_member(&self, user: UserId, change: RelationChange) -> StoreFuture<'_, ChangedMember> {
        self.writer.write(move |group| change_member(group, user, change))
    }

    fn member(&self, user: UserId) -> StoreFuture<'_, MemberRecord> {
        self.read(move |tables| get_member(tables, user))
    }

    fn login_states(&self, users: Vec<UserId>) -> StoreFuture<'_, Vec<LoginState>> {
        self.read(move |tables| {
            users.into_iter().map(|user| get_member(tables, user).map(|member| member.login_state)).collect()
        })
    }

    fn change_roster(
        &self,
        kind: RosterKind,
        owner: UserId,
        change: RosterChange,
    ) -> StoreFuture<'_, Result<Roster, QuotaExceeded>> {
        self.writer.write(move |group| change_roster(group, kind, owner, change))
    }

    fn roster(&self, kind: RosterKind, owner: UserId) -> StoreFuture<'_, Roster> {
        self.read(move |tables| get_roster(tables, kind, owner))
    }

    fn rosters(&self, kind: RosterKind) -> Result<Vec<(UserId, Roster)>, StoreError> {
        let mut rosters = Vec::new();
        self.tables.for_each(table_of(kind), |key, value| {
            let owner = owner(&key)?;
            rosters.push((owner, decode_roster(owner, &value)?));
            Ok(())
        })?;
        Ok(rosters)
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.writer.close().boxed()
    }
}

fn owner(key: &[u8]) -> Result<UserId, StoreError> {
    let uuid = uuid::Uuid::from_slice(key).map_err(|_| StoreError::Damaged("a key of a list".into()))?;
    Ok(UserId::from_uuid(uuid))
}

fn get_member(tables: &DiskTables, user: UserId) -> Result<MemberRecord, StoreError> {
    let record = tables.get(Table::Members, user.uuid_bytes())?;
    record.map_or(Ok(MemberRecord::default()), |record| decode_member(user, &record))
}

fn get_roster(tables: &DiskTables, kind: RosterKind, owner: UserId) -> Result<Roster, StoreError> {
    let record = tables.get(table_of(kind), owner.uuid_bytes())?;
    record.map_or(Ok(Roster::default()), |record| decode_roster(owner, &record))
}

fn table_of(kind: RosterKind) -> Table {
    match kind {
        RosterKind::Friends => Table::Friends,
        RosterKind::Blocked => Table::Blocked,
    }
}

/// The store on the writer's thread.
struct RelationWriter {
    tables: DiskTables,
    now: Timestamp,
    lifetime: Duration,
}

impl GroupStore for RelationWriter {
    type Group = RelationGroup;

    fn prepare(&mut self) {
        self.interrupt().unwrap_or_else(|error| log::error!("member records could not be read: {error}"));
    }

    fn begin(&mut self) -> RelationGroup {
        RelationGroup {
            batch: self.tables.batch(),
            tables: self.tables.clone(),
            members: HashMap::new(),
            rosters: HashMap::new(),
        }
    }

    fn commit(&mut self, group: RelationGroup) -> Result<(), StoreError> {
        self.tables.commit(group.batch)
    }
}

impl RelationWriter {
    /// Marks every member that was logged in when the server ended as lost.
    fn interrupt(&mut self) -> Result<(), StoreError> {
        let tables = self.tables.clone();
        let mut group = self.begin();
        tables.for_each(Table::Members, |key, value| {
            let user = owner(&key)?;
            let Ok(before) = decode_member(user, &value) else {
                log::error!("the member record of {user} is damaged; it starts empty");
                group.batch.remove(Table::Members, *user.uuid_bytes());
                return Ok(());
            };
            let mut member = before.clone();
            member.interrupt(self.now);
            member.expire(self.now, self.lifetime);
            if member != before {
                group.write_member(user, &member);
            }
            if group.batch.len() >= MAX_GROUP {
                let full = std::mem::replace(&mut group, self.begin());
                self.commit(full)?;
            }
            Ok(())
        })?;
        self.commit(group)
    }
}

/// The tables with the uncommitted writes of a group on top.
struct RelationGroup {
    tables: DiskTables,
    batch: WriteBatch,
    members: HashMap<UserId, MemberRecord>,
    rosters: HashMap<(RosterKind, UserId), Roster>,
}

impl RelationGroup {
    fn write_member(&mut self, user: UserId, member: &MemberRecord) {
        self.batch.insert(Table::Members, *user.uuid_bytes(), encode_member(member));
    }
}

impl RelationTables for RelationGroup {
    fn member(&self, user: UserId) -> Result<MemberRecord, StoreError> {
        match self.members.get(&user) {
            Some(member) => Ok(member.clone()),
            None => get_member(&self.tables, user),
        }
    }

    fn put_member(&mut self, user: UserId, member: &MemberRecord) {
        self.write_member(user, member);
        self.members.insert(user, member.clone());
    }

    fn roster(&self, kind: RosterKind, owner: UserId) -> Result<Roster, StoreError> {
        match self.rosters.get(&(kind, owner)) {
            Some(roster) => Ok(roster.clone()),
            None => get_roster(&self.tables, kind, owner),
        }
    }

    fn put_roster(&mut self, kind: RosterKind, owner: UserId, roster: &Roster) {
        if roster.names().is_empty() {
            self.batch.remove(table_of(kind), *owner.uuid_bytes());
        } else {
            self.batch.insert(table_of(kind), *owner.uuid_bytes(), encode_roster(roster));
        }
        self.rosters.insert((kind, owner), roster.clone());
    }
}
