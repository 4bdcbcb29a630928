//! Ties in Redis.
//!
//! Changes of one account are made in the order of the calls: all accounts of a bucket share a lane.

use std::sync::Arc;

use futures_util::FutureExt;
use tokio::sync::Mutex;

use super::gate::RequestLimiter;
use super::records::{Place, Records};
use crate::presence::id::UserId;
use crate::presence::member_record::{LoginState, MemberRecord, RelationChange};
use crate::presence::quota::QuotaExceeded;
use crate::presence::roster::{Roster, RosterKind};
use crate::redis::storage::Storage;
use crate::store::relations::record::{decode_roster, decode_standing, encode_roster, encode_standing};
use crate::store::relations::writer::{Tables, alter, change};
use crate::store::relations::{RelationChanged, RelationStore, RosterChange};
use crate::store::{Answer, StoreError};

/// The kind of a standing's record.
const STANDING: &str = "s";

/// Ties in Redis, the same for all nodes.
pub struct RedisRelations {
    records: Arc<Records>,
    /// One a bucket.
    lanes: Vec<Arc<Mutex<()>>>,
    reading: RequestLimiter,
    writing: RequestLimiter,
}

impl RedisRelations {
    /// The ties of this storage.
    pub(super) fn new(storage: Storage) -> Self {
        let lanes = storage.keys().buckets().all().map(|_| Arc::default()).collect();
        Self {
            records: Arc::new(Records::new(storage)),
            lanes,
            reading: RequestLimiter::new(),
            writing: RequestLimiter::new(),
        }
    }

    fn lane(&self, user: UserId) -> Arc<Mutex<()>> {
        self.lanes[self.records.storage.keys().buckets().of(user).index()].clone()
    }
}

impl RelationStore for RedisRelations {
    fn change(&self, account: UserId, what: RelationChange) -> Answer<'_, RelationChanged> {
        let (records, lane) = (self.records.clone(), self.lane(account));
        self.writing.run(&self.records.storage, async move {
            let _turn = lane.lock().await;
            let place = Place::new(&records.storage, account, STANDING);
            let rule = |record: Option<&[u8]>| {
                let mut one = One { standing: standing(account, record)?, ..One::default() };
                let changed = change(&mut one, account, what.clone())?;
                Ok((Some(encode_standing(&one.standing)), changed))
            };
            records.edit(&place, rule).await
        })
    }

    fn standing(&self, account: UserId) -> Answer<'_, MemberRecord> {
        let records = self.records.clone();
        self.reading.run(&self.records.storage, async move {
            let record = records.get(&Place::new(&records.storage, account, STANDING)).await?;
            standing(account, record.as_deref())
        })
    }

    fn login_states(&self, accounts: Vec<UserId>) -> Answer<'_, Vec<LoginState>> {
        let records = self.records.clone();
        self.reading.run(&self.records.storage, async move {
            let places: Vec<Place> =
                accounts.iter().map(|account| Place::new(&records.storage, *account, STANDING)).collect();
            let found = records.get_all(&places).await?;
            let login_states = |(&account, record): (&UserId, Option<Vec<u8>>)| {
                standing(account, record.as_deref()).map(|standing| standing.login_states)
            };
            accounts.iter().zip(found).map(login_states).collect()
        })
    }

    fn alter(&self, kind: RosterKind, owner: UserId, what: RosterChange) -> Answer<'_, Result<Roster, QuotaExceeded>> {
        let (records, lane) = (self.records.clone(), self.lane(owner));
        self.writing.run(&self.records.storage, async move {
            let _turn = lane.lock().await;
            let place = Place::listed(&records.storage, owner, name(kind));
            let rule = |record: Option<&[u8]>| {
                let mut one = One { roster: roster(owner, record)?, ..One::default() };
                let altered = alter(&mut one, kind, owner, what.clone())?;
                Ok(((!one.roster.names().is_empty()).then(|| encode_roster(&one.roster)), altered))
            };
            records.edit(&place, rule).await
        })
    }

    fn roster(&self, kind: RosterKind, owner: UserId) -> Answer<'_, Roster> {
        let records = self.records.clone();
        self.reading.run(&self.records.storage, async move {
            let record = records.get(&Place::listed(&records.storage, owner, name(kind))).await?;
            roster(owner, record.as_deref())
        })
    }

    fn rosters(&self, kind: RosterKind) -> Result<Vec<(UserId, Roster)>, StoreError> {
        let records = self.records.clone();
        let reading = self.records.storage.block_on(async move {
            let owners = records.listed(name(kind)).await?;
            let places: Vec<Place> =
                owners.iter().map(|owner| Place::listed(&records.storage, *owner, name(kind))).collect();
            let found = owners.into_iter().zip(records.get_all(&places).await?);
            found
                .filter_map(|(owner, record)| Some((owner, record?)))
                .map(|(owner, record)| decode_roster(owner, &record).map(|roster| (owner, roster)))
                .collect()
        });
        reading.ok_or(StoreError::Closed)?
    }

    fn close(&self) -> Answer<'_, ()> {
        self.writing.close().boxed()
    }
}

/// The kind of a list's record.
fn name(kind: RosterKind) -> &'static str {
    match kind {
        RosterKind::Friends => "p:friends",
        RosterKind::Blocked => "p:blocked",
    }
}

fn standing(account: UserId, record: Option<&[u8]>) -> Result<MemberRecord, StoreError> {
    record.map_or(Ok(MemberRecord::default()), |record| decode_standing(account, record))
}

fn roster(owner: UserId, record: Option<&[u8]>) -> Result<Roster, StoreError> {
    record.map_or(Ok(Roster::default()), |record| decode_roster(owner, record))
}

/// The one record that a change is made to.
#[derive(Default)]
struct One {
    standing: MemberRecord,
    roster: Roster,
}

impl Tables for One {
    fn standing(&self, _: UserId) -> Result<MemberRecord, StoreError> {
        Ok(self.standing.clone())
    }

    fn put_standing(&mut self, _: UserId, standing: &MemberRecord) {
        self.standing.clone_from(standing);
    }

    fn roster(&self, _: RosterKind, _: UserId) -> Result<Roster, StoreError> {
        Ok(self.roster.clone())
    }

    fn put_roster(&mut self, _: RosterKind, _: UserId, roster: &Roster) {
        self.roster.clone_from(roster);
    }
}
