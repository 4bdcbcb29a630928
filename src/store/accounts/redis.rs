//! Accounts in Redis, shared by all nodes. [`super::names`] says how names stay unique.

use std::sync::Arc;

use futures_util::FutureExt;

use super::names::{Claim, UniqueName};
use super::record::{decode, encode};
use super::{Account, AccountStore, LoginKey, ProfileChange};
use crate::presence::id::{UserId, Username};
use crate::redis::storage::Storage;
use crate::store::redis::records::{RecordKey, Records, SwapResult};
use crate::store::redis::request_limiter::RequestLimiter;
use crate::store::{StoreError, StoreFuture};

/// The kind of an account's record.
const KIND: &str = "a";

/// Maximum number of attempts to change a profile while other nodes change it at the same time.
const MAX_ATTEMPTS: usize = 100;

/// Accounts in Redis, shared by all nodes.
pub struct RedisAccounts {
    records: Arc<Records>,
    reading: RequestLimiter,
    writing: RequestLimiter,
}

impl RedisAccounts {
    /// Opens the accounts of a storage.
    pub(in crate::store) fn new(storage: Storage) -> Self {
        Self {
            records: Arc::new(Records::new(storage)),
            reading: RequestLimiter::new(),
            writing: RequestLimiter::new(),
        }
    }

    fn run<'a, T: Send + 'static, F>(
        &self,
        limiter: &RequestLimiter,
        work: impl FnOnce(Arc<Records>) -> F,
    ) -> StoreFuture<'a, T>
    where
        F: Future<Output = Result<T, StoreError>> + Send + 'static,
    {
        limiter.run(&self.records.storage, work(self.records.clone()))
    }
}

impl AccountStore for RedisAccounts {
    fn account(&self, user: UserId) -> StoreFuture<'_, Option<Account>> {
        self.run(&self.reading, |records| async move { records.account(user).await })
    }

    fn find(&self, key: LoginKey) -> StoreFuture<'_, Option<Account>> {
        self.run(&self.reading, |records| async move { Ok(records.owners(&[UniqueName::Login(key)]).await?.pop()) })
    }

    fn user_ids(&self, usernames: Vec<Username>) -> StoreFuture<'_, Vec<UserId>> {
        self.run(&self.reading, |records| async move {
            let names: Vec<UniqueName> = usernames.into_iter().map(UniqueName::Username).collect();
            Ok(records.owners(&names).await?.iter().map(|account| account.id).collect())
        })
    }

    fn create(&self, account: Account) -> StoreFuture<'_, ()> {
        self.run(&self.writing, |records| async move { records.create(&account).await })
    }

    fn update(&self, user: UserId, change: ProfileChange) -> StoreFuture<'_, Account> {
        self.run(&self.writing, |records| async move { records.update(user, change).await })
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.writing.close().boxed()
    }
}

impl Records {
    /// Reads an account by its id.
    pub async fn account(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        let record = self.get(&RecordKey::new(&self.storage, user, KIND)).await?;
        record.map(|record| decode(user, &record)).transpose()
    }

    /// Reads the accounts with these names, in the order of the request. Names without an account are left out.
    async fn owners(&self, names: &[UniqueName]) -> Result<Vec<Account>, StoreError> {
        let claimants = self.claimants(names).await?;
        let claimed: Vec<(&UniqueName, UserId)> =
            names.iter().zip(claimants).filter_map(|(name, claimant)| Some((name, claimant?))).collect();
        let keys: Vec<RecordKey> = claimed.iter().map(|(_, user)| RecordKey::new(&self.storage, *user, KIND)).collect();
        let mut owners = Vec::new();
        for ((name, user), record) in claimed.into_iter().zip(self.get_all(&keys).await?) {
            let Some(record) = record else { continue };
            let account = decode(user, &record)?;
            if name.is_of(&account) {
                owners.push(account);
            }
        }
        Ok(owners)
    }

    async fn create(&self, account: &Account) -> Result<(), StoreError> {
        let names = account.login_keys().into_iter().map(UniqueName::Login);
        let mut claims = Vec::new();
        // The claims are made one after the other, in the same order on every node, so that no two nodes wait for each other.
        for name in names.chain([UniqueName::Username(account.username.clone())]) {
            match self.claim(&name, account.id).await {
                Ok(claim) => claims.push(claim),
                Err(error) => {
                    self.release(claims).await;
                    return Err(error);
                }
            }
        }
        let deadline = claims.iter().map(|claim| claim.deadline).min();
        let (key, record) = (RecordKey::new(&self.storage, account.id, KIND), encode(account));
        // If the write has no reply, readers of the names find out whether it was made.
        let error = match self.swap(&key, None, Some(&record), deadline).await? {
            SwapResult::Done => return Ok(()),
            SwapResult::Other(_) => StoreError::Database("there is an account of this id".into()),
            SwapResult::Late => late(),
        };
        self.release(claims).await;
        Err(error)
    }

    async fn update(&self, user: UserId, change: ProfileChange) -> Result<Account, StoreError> {
        let key = RecordKey::new(&self.storage, user, KIND);
        let mut held = self.get(&key).await?;
        for _ in 0..MAX_ATTEMPTS {
            let before = decode(user, held.as_deref().ok_or(StoreError::NoAccount)?)?;
            let mut account = before.clone();
            account.change(change.clone());
            let Rename { old, new } = self.rename(&before, &account).await?;
            let deadline = new.as_ref().map(|claim| claim.deadline);
            let swapped = self.swap(&key, held.as_deref(), Some(&encode(&account)), deadline).await?;
            match swapped {
                SwapResult::Done => {
                    self.release(old.into_iter().collect()).await;
                    return Ok(account);
                }
                SwapResult::Other(other) => {
                    self.release(new.into_iter().collect()).await;
                    held = other;
                }
                SwapResult::Late => {
                    self.release(new.into_iter().collect()).await;
                    return Err(late());
                }
            }
        }
        Err(StoreError::Busy)
    }

    /// Claims the new name of an account, if the change has one. Reads the claim to the old name before that name is given
    /// up, so that a later claim of another account is not released.
    async fn rename(&self, before: &Account, after: &Account) -> Result<Rename, StoreError> {
        if before.username == after.username {
            return Ok(Rename { old: None, new: None });
        }
        let new = self.claim(&UniqueName::Username(after.username.clone()), after.id).await?;
        let old = self.claim_of(UniqueName::Username(before.username.clone()), before.id).await?;
        Ok(Rename { old, new: Some(new) })
    }
}

/// The claims of an account with a new name.
struct Rename {
    /// Released after the record is written.
    old: Option<Claim>,
    /// Released if the record is not written.
    new: Option<Claim>,
}

fn late() -> StoreError {
    StoreError::Unavailable("redis took too long to keep a name".into())
}
