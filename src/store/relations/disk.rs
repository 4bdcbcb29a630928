//! Relations in the embedded database. [`crate::store::group_commit`] says how writes are committed.
//!
//! Before its first group, the writer marks every member that was logged in when the server ended as lost, and forgets
//! what has expired.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fjall::{Database, Keyspace, OwnedWriteBatch};
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
use crate::store::database::{keyspace, read, synced_batch};
use crate::store::group_commit::{GroupStore, GroupWriter, MAX_GROUP};
use crate::store::{StoreError, StoreFuture};

/// Relations on disk.
pub struct DiskRelations {
    keyspaces: Arc<RelationKeyspaces>,
    writer: GroupWriter<RelationGroup>,
}

struct RelationKeyspaces {
    database: Database,
    members: Keyspace,
    friends: Keyspace,
    blocked: Keyspace,
}

impl DiskRelations {
    /// Opens the keyspaces and starts the writer. `now` is the time at which members count as lost that were logged in.
    /// Subscriptions live for `lifetime` after a member's last connection.
    pub(in crate::store) fn start(database: Database, now: Timestamp, lifetime: Duration) -> Result<Self, StoreError> {
        let keyspaces = Arc::new(RelationKeyspaces {
            members: keyspace(&database, "standings")?,
            friends: keyspace(&database, "friends")?,
            blocked: keyspace(&database, "blocked")?,
            database,
        });
        let writer = RelationWriter { keyspaces: keyspaces.clone(), now, lifetime };
        Ok(Self { keyspaces, writer: GroupWriter::start("relations", None, writer)? })
    }

    fn read<T: Send + 'static>(
        &self,
        look_up: impl FnOnce(&RelationKeyspaces) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        let keyspaces = self.keyspaces.clone();
        read(move || look_up(&keyspaces))
    }
}

impl RelationStore for DiskRelations {
    fn change_member(&self, user: UserId, change: RelationChange) -> StoreFuture<'_, ChangedMember> {
        self.writer.write(move |group| change_member(group, user, change))
    }

    fn member(&self, user: UserId) -> StoreFuture<'_, MemberRecord> {
        self.read(move |keyspaces| keyspaces.member(user))
    }

    fn login_states(&self, users: Vec<UserId>) -> StoreFuture<'_, Vec<LoginState>> {
        self.read(move |keyspaces| {
            users.into_iter().map(|user| keyspaces.member(user).map(|member| member.login_state)).collect()
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
        self.read(move |keyspaces| keyspaces.roster(kind, owner))
    }

    fn rosters(&self, kind: RosterKind) -> Result<Vec<(UserId, Roster)>, StoreError> {
        let read = self.keyspaces.of_kind(kind).iter().map(|entry| {
            let (key, value) = entry.into_inner()?;
            let owner = owner(&key)?;
            Ok((owner, decode_roster(owner, &value)?))
        });
        read.collect()
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.writer.close().boxed()
    }
}

fn owner(key: &[u8]) -> Result<UserId, StoreError> {
    let uuid = uuid::Uuid::from_slice(key).map_err(|_| StoreError::Damaged("a key of a list".into()))?;
    Ok(UserId::from_uuid(uuid))
}

impl RelationKeyspaces {
    fn member(&self, user: UserId) -> Result<MemberRecord, StoreError> {
        let record = self.members.get(user.uuid().as_bytes())?;
        record.map_or(Ok(MemberRecord::default()), |record| decode_member(user, &record))
    }

    fn roster(&self, kind: RosterKind, owner: UserId) -> Result<Roster, StoreError> {
        let record = self.of_kind(kind).get(owner.uuid().as_bytes())?;
        record.map_or(Ok(Roster::default()), |record| decode_roster(owner, &record))
    }

    fn of_kind(&self, kind: RosterKind) -> &Keyspace {
        match kind {
            RosterKind::Friends => &self.friends,
            RosterKind::Blocked => &self.blocked,
        }
    }
}

/// The store on the writer's thread.
struct RelationWriter {
    keyspaces: Arc<RelationKeyspaces>,
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
            batch: synced_batch(&self.keyspaces.database),
            keyspaces: self.keyspaces.clone(),
            members: HashMap::new(),
            rosters: HashMap::new(),
        }
    }

    fn commit(&mut self, group: RelationGroup) -> Result<(), StoreError> {
        if group.batch.is_empty() {
            return Ok(());
        }
        group.batch.commit().map_err(|error| {
            log::error!("relations between users could not be written: {error}");
            StoreError::from(error)
        })
    }
}

impl RelationWriter {
    /// Marks every member that was logged in when the server ended as lost.
    fn interrupt(&mut self) -> Result<(), StoreError> {
        let keyspaces = self.keyspaces.clone();
        let mut group = self.begin();
        for entry in keyspaces.members.iter() {
            let (key, value) = entry.into_inner()?;
            let user = owner(&key)?;
            let Ok(before) = decode_member(user, &value) else {
                log::error!("the member record of {user} is damaged; it starts empty");
                group.batch.remove(&keyspaces.members, key);
                continue;
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
        }
        self.commit(group)
    }
}

/// The keyspaces with the uncommitted writes of a group on top.
struct RelationGroup {
    keyspaces: Arc<RelationKeyspaces>,
    batch: OwnedWriteBatch,
    members: HashMap<UserId, MemberRecord>,
    rosters: HashMap<(RosterKind, UserId), Roster>,
}

impl RelationGroup {
    fn write_member(&mut self, user: UserId, member: &MemberRecord) {
        self.batch.insert(&self.keyspaces.members, *user.uuid().as_bytes(), encode_member(member));
    }
}

impl RelationTables for RelationGroup {
    fn member(&self, user: UserId) -> Result<MemberRecord, StoreError> {
        match self.members.get(&user) {
            Some(member) => Ok(member.clone()),
            None => self.keyspaces.member(user),
        }
    }

    fn put_member(&mut self, user: UserId, member: &MemberRecord) {
        self.write_member(user, member);
        self.members.insert(user, member.clone());
    }

    fn roster(&self, kind: RosterKind, owner: UserId) -> Result<Roster, StoreError> {
        match self.rosters.get(&(kind, owner)) {
            Some(roster) => Ok(roster.clone()),
            None => self.keyspaces.roster(kind, owner),
        }
    }

    fn put_roster(&mut self, kind: RosterKind, owner: UserId, roster: &Roster) {
        let (table, key) = (self.keyspaces.of_kind(kind), *owner.uuid().as_bytes());
        if roster.names().is_empty() {
            self.batch.remove(table, key);
        } else {
            self.batch.insert(table, key, encode_roster(roster));
        }
        self.rosters.insert((kind, owner), roster.clone());
    }
}
