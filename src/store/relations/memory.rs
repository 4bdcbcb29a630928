//! Relations in memory: the reference for the other stores. They are gone at exit.

use futures_util::FutureExt;
use futures_util::future::ready;
use hashbrown::HashMap;
use parking_lot::Mutex;

use super::rules::{RelationTables, change_member, change_roster};
use super::{ChangedMember, RelationStore, RosterChange};
use crate::presence::id::UserId;
use crate::presence::member_record::{LoginState, MemberRecord, RelationChange};
use crate::presence::quota::QuotaExceeded;
use crate::presence::roster::{Roster, RosterKind};
use crate::store::{StoreError, StoreFuture};

/// Relations in memory.
#[derive(Default)]
pub struct MemoryRelations(Mutex<RelationMaps>);

#[derive(Default)]
struct RelationMaps {
    members: HashMap<UserId, MemberRecord>,
    rosters: HashMap<(RosterKind, UserId), Roster>,
    closed: bool,
}

impl MemoryRelations {
    /// Makes an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&mut RelationMaps) -> Result<T, StoreError>,
    ) -> StoreFuture<'_, T> {
        let mut maps = self.0.lock();
        let result = if maps.closed { Err(StoreError::Closed) } else { write(&mut maps) };
        ready(result).boxed()
    }
}

impl RelationStore for MemoryRelations {
    fn change_member(&self, user: UserId, change: RelationChange) -> StoreFuture<'_, ChangedMember> {
        self.write(|maps| change_member(maps, user, change))
    }

    fn member(&self, user: UserId) -> StoreFuture<'_, MemberRecord> {
        ready(RelationTables::member(&*self.0.lock(), user)).boxed()
    }

    fn login_states(&self, users: Vec<UserId>) -> StoreFuture<'_, Vec<LoginState>> {
        let maps = self.0.lock();
        let of = |user| maps.members.get(user).map_or(LoginState::Never, |member| member.login_state);
        ready(Ok(users.iter().map(of).collect())).boxed()
    }

    fn change_roster(
        &self,
        kind: RosterKind,
        owner: UserId,
        change: RosterChange,
    ) -> StoreFuture<'_, Result<Roster, QuotaExceeded>> {
        self.write(|maps| change_roster(maps, kind, owner, change))
    }

    fn roster(&self, kind: RosterKind, owner: UserId) -> StoreFuture<'_, Roster> {
        ready(RelationTables::roster(&*self.0.lock(), kind, owner)).boxed()
    }

    fn rosters(&self, kind: RosterKind) -> Result<Vec<(UserId, Roster)>, StoreError> {
        let maps = self.0.lock();
        let of_kind = maps.rosters.iter().filter(|((known, _), _)| *known == kind);
        Ok(of_kind.map(|((_, owner), roster)| (*owner, roster.clone())).collect())
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.0.lock().closed = true;
        ready(Ok(())).boxed()
    }
}

impl RelationTables for RelationMaps {
    fn member(&self, user: UserId) -> Result<MemberRecord, StoreError> {
        Ok(self.members.get(&user).cloned().unwrap_or_default())
    }

    fn put_member(&mut self, user: UserId, member: &MemberRecord) {
        self.members.insert(user, member.clone());
    }

    fn roster(&self, kind: RosterKind, owner: UserId) -> Result<Roster, StoreError> {
        Ok(self.rosters.get(&(kind, owner)).cloned().unwrap_or_default())
    }

    fn put_roster(&mut self, kind: RosterKind, owner: UserId, roster: &Roster) {
        if roster.names().is_empty() {
            self.rosters.remove(&(kind, owner));
        } else {
            self.rosters.insert((kind, owner), roster.clone());
        }
    }
}
