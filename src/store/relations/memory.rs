//! Ties in memory: the reference that the other store is held against. Gone at exit.

use futures_util::FutureExt;
use futures_util::future::ready;
use hashbrown::HashMap;
use parking_lot::Mutex;

use super::writer::{Tables, alter, change};
use super::{RelationChanged, RelationStore, RosterChange};
use crate::presence::id::UserId;
use crate::presence::member_record::{LoginState, MemberRecord, RelationChange};
use crate::presence::quota::QuotaExceeded;
use crate::presence::roster::{Roster, RosterKind};
use crate::store::{Answer, StoreError};

/// Ties in memory.
#[derive(Default)]
pub struct MemoryRelations(Mutex<Maps>);

#[derive(Default)]
struct Maps {
    standings: HashMap<UserId, MemberRecord>,
    rosters: HashMap<(RosterKind, UserId), Roster>,
    closed: bool,
}

impl MemoryRelations {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn write<T: Send + 'static>(&self, write: impl FnOnce(&mut Maps) -> Result<T, StoreError>) -> Answer<'_, T> {
        let mut maps = self.0.lock();
        let result = if maps.closed { Err(StoreError::Closed) } else { write(&mut maps) };
        ready(result).boxed()
    }
}

impl RelationStore for MemoryRelations {
    fn change(&self, account: UserId, what: RelationChange) -> Answer<'_, RelationChanged> {
        self.write(|maps| change(maps, account, what))
    }

    fn standing(&self, account: UserId) -> Answer<'_, MemberRecord> {
        ready(Tables::standing(&*self.0.lock(), account)).boxed()
    }

    fn login_states(&self, accounts: Vec<UserId>) -> Answer<'_, Vec<LoginState>> {
        let maps = self.0.lock();
        let of = |account| maps.standings.get(account).map_or(LoginState::Never, |standing| standing.login_states);
        ready(Ok(accounts.iter().map(of).collect())).boxed()
    }

    fn alter(
        &self,
        kind: RosterKind,
        owner: UserId,
        change: RosterChange,
    ) -> Answer<'_, Result<Roster, QuotaExceeded>> {
        self.write(|maps| alter(maps, kind, owner, change))
    }

    fn roster(&self, kind: RosterKind, owner: UserId) -> Answer<'_, Roster> {
        ready(Tables::roster(&*self.0.lock(), kind, owner)).boxed()
    }

    fn rosters(&self, kind: RosterKind) -> Result<Vec<(UserId, Roster)>, StoreError> {
        let maps = self.0.lock();
        let of_kind = maps.rosters.iter().filter(|((known, _), _)| *known == kind);
        Ok(of_kind.map(|((_, owner), roster)| (*owner, roster.clone())).collect())
    }

    fn close(&self) -> Answer<'_, ()> {
        self.0.lock().closed = true;
        ready(Ok(())).boxed()
    }
}

impl Tables for Maps {
    fn standing(&self, account: UserId) -> Result<MemberRecord, StoreError> {
        Ok(self.standings.get(&account).cloned().unwrap_or_default())
    }

    fn put_standing(&mut self, account: UserId, standing: &MemberRecord) {
        self.standings.insert(account, standing.clone());
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
