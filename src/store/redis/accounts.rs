//! Accounts in Redis.

use std::sync::Arc;

use futures_util::FutureExt;

use super::gate::RequestLimiter;
use super::names::{Claim, Name};
use super::records::{Place, Records, Swapped};
use crate::presence::id::{UserId, Username};
use crate::redis::storage::Storage;
use crate::store::account::{Account, LoginKey, ProfileChange};
use crate::store::disk::record::{decode, encode};
use crate::store::{Answer, Store, StoreError};

/// The kind of an account's record.
const KIND: &str = "a";

/// How often a profile is changed anew after somebody else was faster.
const TRIES: usize = 100;

/// Accounts in Redis, the same for all nodes.
pub struct RedisStore {
    records: Arc<Records>,
    reading: RequestLimiter,
    writing: RequestLimiter,
}

impl RedisStore {
    /// The accounts of this storage.
    pub(super) fn new(storage: Storage) -> Self {
        Self {
            records: Arc::new(Records::new(storage)),
            reading: RequestLimiter::new(),
            writing: RequestLimiter::new(),
        }
    }

    fn run<'a, T: Send + 'static, F>(
        &self,
        gate: &RequestLimiter,
        work: impl FnOnce(Arc<Records>) -> F,
    ) -> Answer<'a, T>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        gate.run(&self.records.storage, work(self.records.clone()))
    }
}

impl Store for RedisStore {
    fn account(&self, user: UserId) -> Answer<'_, Option<Account>> {
        self.run(&self.reading, |records| async move { records.account(user).await })
    }

    fn find(&self, key: LoginKey) -> Answer<'_, Option<Account>> {
        self.run(&self.reading, |records| async move { Ok(records.owners(&[Name::Login(key)]).await?.pop()) })
    }

    fn user_ids(&self, usernames: Vec<Username>) -> Answer<'_, Vec<UserId>> {
        self.run(&self.reading, |records| async move {
            let names: Vec<Name> = usernames.into_iter().map(Name::Username).collect();
            Ok(records.owners(&names).await?.iter().map(|account| account.id).collect())
        })
    }

    fn create(&self, account: Account) -> Answer<'_, ()> {
        self.run(&self.writing, |records| async move { records.create(&account).await })
    }

    fn update(&self, user: UserId, change: ProfileChange) -> Answer<'_, Account> {
        self.run(&self.writing, |records| async move { records.update(user, change).await })
    }

    fn close(&self) -> Answer<'_, ()> {
        self.writing.close().boxed()
    }
}

impl Records {
    /// An account by its id.
    pub async fn account(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        let record = self.get(&Place::new(&self.storage, user, KIND)).await?;
        record.map(|record| decode(user, &record)).transpose()
    }

    /// The accounts that have these names, in the order asked; names that nobody has are left out.
    async fn owners(&self, names: &[Name]) -> Result<Vec<Account>, StoreError> {
        let claimants = self.claimants(names).await?;
        let claimed: Vec<(&Name, UserId)> =
            names.iter().zip(claimants).filter_map(|(name, claimant)| Some((name, claimant?))).collect();
        let places: Vec<Place> = claimed.iter().map(|(_, user)| Place::new(&self.storage, *user, KIND)).collect();
        let mut owners = Vec::new();
        for ((name, user), record) in claimed.into_iter().zip(self.get_all(&places).await?) {
            let Some(record) = record else { continue };
            let account = decode(user, &record)?;
            if name.is_of(&account) {
                owners.push(account);
            }
        }
        Ok(owners)
    }

    async fn create(&self, account: &Account) -> Result<(), StoreError> {
        let names = account.login_keys().into_iter().map(Name::Login);
        let mut claims = Vec::new();
        // One after the other, in the same order on every node: nobody waits for somebody who waits for it.
        for name in names.chain([Name::Username(account.username.clone())]) {
            match self.claim(&name, account.id).await {
                Ok(claim) => claims.push(claim),
                Err(error) => {
                    self.release(claims).await;
                    return Err(error);
                }
            }
        }
        let deadline = claims.iter().map(|claim| claim.deadline).min();
        let (place, record) = (Place::new(&self.storage, account.id, KIND), encode(account));
        // Whether a write that was not answered was made, the names' readers see for themselves.
        let refusal = match self.swap(&place, None, Some(&record), deadline).await? {
            Swapped::Done => return Ok(()),
            Swapped::Other(_) => StoreError::Database("there is an account of this id".into()),
            Swapped::Late => late(),
        };
        self.release(claims).await;
        Err(refusal)
    }

    async fn update(&self, user: UserId, change: ProfileChange) -> Result<Account, StoreError> {
        let place = Place::new(&self.storage, user, KIND);
        let mut held = self.get(&place).await?;
        for _ in 0..TRIES {
            let before = decode(user, held.as_deref().ok_or(StoreError::NoAccount)?)?;
            let mut account = before.clone();
            account.change(change.clone());
            let Rename { old, new } = self.rename(&before, &account).await?;
            let deadline = new.as_ref().map(|claim| claim.deadline);
            let swapped = self.swap(&place, held.as_deref(), Some(&encode(&account)), deadline).await?;
            match swapped {
                Swapped::Done => {
                    self.release(old.into_iter().collect()).await;
                    return Ok(account);
                }
                Swapped::Other(other) => {
                    self.release(new.into_iter().collect()).await;
                    held = other;
                }
                Swapped::Late => {
                    self.release(new.into_iter().collect()).await;
                    return Err(late());
                }
            }
        }
        Err(StoreError::Busy)
    }

    /// Claims the new name of an account, if it is to have one. The old name is looked up before it is given up: what is
    /// claimed anew after that is not freed.
    async fn rename(&self, before: &Account, after: &Account) -> Result<Rename, StoreError> {
        if before.username == after.username {
            return Ok(Rename { old: None, new: None });
        }
        let new = self.claim(&Name::Username(after.username.clone()), after.id).await?;
        let old = self.claim_of(Name::Username(before.username.clone()), before.id).await?;
        Ok(Rename { old, new: Some(new) })
    }
}

/// The names of an account that gets another.
struct Rename {
    /// To be given up once the record is written.
    old: Option<Claim>,
    /// To be given up if it is not.
    new: Option<Claim>,
}

fn late() -> StoreError {
    StoreError::Unavailable("redis took too long to keep a name".into())
}
