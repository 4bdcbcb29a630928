//! Relations in Redis, shared by all nodes.
//!
//! The changes of one member happen in the order of the calls: all members of a bucket share a queue.

use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::Mutex;

use super::record::{decode_member, decode_roster, encode_member, encode_roster};
use super::rules::{RelationTables, change_member, change_roster};
use super::{ChangedMember, RelationStore, RosterChange};
use crate::presence::id::UserId;
use crate::presence::member_record::{LoginState, MemberRecord, RelationChange};
use crate::presence::quota::QuotaExceeded;
use crate::presence::roster::{Roster, RosterKind};
use crate::redis::storage::Storage;
use crate::store::redis::records::{RecordKey, Records};
use crate::store::redis::request_limiter::RequestLimiter;
use crate::store::{StoreError, StoreFuture};

/// The kind of a member record in the names of keys.
const MEMBER: &str = "s";

/// Relations in Redis, shared by all nodes.
pub struct RedisRelations {
    records: Arc<Records>,
    /// One lock per bucket. Its waiters are the queue of the bucket's changes.
    locks: Vec<Arc<Mutex<()>>>,
    reading: RequestLimiter,
    writing: RequestLimiter,
}

impl RedisRelations {
    /// Opens the relations of a storage.
    pub(in crate::store) fn new(storage: Storage) -> Self {
        let locks = storage.keys().buckets().all().map(|_| Arc::default()).collect();
        Self {
            records: Arc::new(Records::new(storage)),
            locks,
            reading: RequestLimiter::new(),
            writing: RequestLimiter::new(),
        }
    }

    fn lock(&self, user: UserId) -> Arc<Mutex<()>> {
        self.locks[self.records.storage.keys().buckets().of(user).index()].clone()
    }
}

impl RelationStore for RedisRelations {
    fn change_member(&self, user: UserId, change: RelationChange) -> StoreFuture<'_, ChangedMember> {
        let (records, lock) = (self.records.clone(), self.lock(user));
        self.writing.run(&self.records.storage, async move {
            let _turn = lock.lock().await;
            let key = RecordKey::new(&records.storage, user, MEMBER);
            let rule = |record: Option<&[u8]>| {
                let mut one = SingleRecord { member: read_member(user, record)?, ..SingleRecord::default() };
                let changed = change_member(&mut one, user, change.clone())?;
                Ok((Some(encode_member(&one.member)), changed))
            };
            records.edit(&key, rule).await
        })
    }

    fn member(&self, user: UserId) -> StoreFuture<'_, MemberRecord> {
        let records = self.records.clone();
        self.reading.run(&self.records.storage, async move {
            let record = records.get(&RecordKey::new(&records.storage, user, MEMBER)).await?;
            read_member(user, record.as_deref())
        })
    }

    fn login_states(&self, users: Vec<UserId>) -> StoreFuture<'_, Vec<LoginState>> {
        let records = self.records.clone();
        self.reading.run(&self.records.storage, async move {
            let keys: Vec<RecordKey> =
                users.iter().map(|user| RecordKey::new(&records.storage, *user, MEMBER)).collect();
            let found = records.get_all(&keys).await?;
            let login_states = |(&user, record): (&UserId, Option<Vec<u8>>)| {
                read_member(user, record.as_deref()).map(|member| member.login_state)
            };
            users.iter().zip(found).map(login_states).collect()
        })
    }

    fn change_roster(
        &self,
        kind: RosterKind,
        owner: UserId,
        change: RosterChange,
    ) -> StoreFuture<'_, Result<Roster, QuotaExceeded>> {
        let (records, lock) = (self.records.clone(), self.lock(owner));
        self.writing.run(&self.records.storage, async move {
            let _turn = lock.lock().await;
            let key = RecordKey::listed(&records.storage, owner, key_kind(kind));
            let rule = |record: Option<&[u8]>| {
                let mut one = SingleRecord { roster: read_roster(owner, record)?, ..SingleRecord::default() };
                let altered = change_roster(&mut one, kind, owner, change.clone())?;
                Ok(((!one.roster.names().is_empty()).then(|| encode_roster(&one.roster)), altered))
            };
            records.edit(&key, rule).await
        })
    }

    fn roster(&self, kind: RosterKind, owner: UserId) -> StoreFuture<'_, Roster> {
        let records = self.records.clone();
        self.reading.run(&self.records.storage, async move {
            let record = records.get(&RecordKey::listed(&records.storage, owner, key_kind(kind))).await?;
            read_roster(owner, record.as_deref())
        })
    }

    fn rosters(&self, kind: RosterKind) -> Result<Vec<(UserId, Roster)>, StoreError> {
        let records = self.records.clone();
        let reading = self.records.storage.block_on(async move {
            let owners = records.listed(key_kind(kind)).await?;
            let keys: Vec<RecordKey> =
                owners.iter().map(|owner| RecordKey::listed(&records.storage, *owner, key_kind(kind))).collect();
            let found = owners.into_iter().zip(records.get_all(&keys).await?);
            found
                .filter_map(|(owner, record)| Some((owner, record?)))
                .map(|(owner, record)| decode_roster(owner, &record).map(|roster| (owner, roster)))
                .collect()
        });
        reading.ok_or(StoreError::Closed)?
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.writing.close().boxed()
    }
}

/// Returns the kind of a list's record in the names of keys.
fn key_kind(kind: RosterKind) -> &'static str {
    match kind {
        RosterKind::Friends => "p:friends",
        RosterKind::Blocked => "p:blocked",
    }
}

fn read_member(user: UserId, record: Option<&[u8]>) -> Result<MemberRecord, StoreError> {
    record.map_or(Ok(MemberRecord::default()), |record| decode_member(user, record))
}

fn read_roster(owner: UserId, record: Option<&[u8]>) -> Result<Roster, StoreError> {
    record.map_or(Ok(Roster::default()), |record| decode_roster(owner, record))
}

/// The one record that a change applies to.
#[derive(Default)]
struct SingleRecord {
    member: MemberRecord,
    roster: Roster,
}

impl RelationTables for SingleRecord {
    fn member(&self, _: UserId) -> Result<MemberRecord, StoreError> {
        Ok(self.member.clone())
    }

    fn put_member(&mut self, _: UserId, member: &MemberRecord) {
        self.member.clone_from(member);
    }

    fn roster(&self, _: RosterKind, _: UserId) -> Result<Roster, StoreError> {
        Ok(self.roster.clone())
    }

    fn put_roster(&mut self, _: RosterKind, _: UserId, roster: &Roster) {
        self.roster.clone_from(roster);
    }
}
