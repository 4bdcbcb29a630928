//! Accounts in memory: the reference for the other stores. They are gone at exit.

use futures_util::FutureExt;
use futures_util::future::ready;
use hashbrown::HashMap;
use parking_lot::Mutex;

use super::port::AccountStore;
use super::rules::{self, AccountTables};
use super::{Account, LoginKey, ProfileChange};
use crate::presence::id::{UserId, Username};
use crate::store::{StoreError, StoreFuture};

/// Accounts in memory.
#[derive(Default)]
pub struct MemoryAccounts(Mutex<AccountMaps>);

#[derive(Default)]
struct AccountMaps {
    accounts: HashMap<UserId, Account>,
    logins: HashMap<LoginKey, UserId>,
    usernames: HashMap<Username, UserId>,
    closed: bool,
}

impl MemoryAccounts {
    /// Makes an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn write<T: Send + 'static>(
        &self,
        rule: impl FnOnce(&mut AccountMaps) -> Result<T, StoreError>,
    ) -> StoreFuture<'_, T> {
        let mut maps = self.0.lock();
        at_once(if maps.closed { Err(StoreError::Closed) } else { rule(&mut maps) })
    }
}

fn at_once<'a, T: Send + 'a>(result: Result<T, StoreError>) -> StoreFuture<'a, T> {
    ready(result).boxed()
}

impl AccountStore for MemoryAccounts {
    fn account(&self, user: UserId) -> StoreFuture<'_, Option<Account>> {
        at_once(self.0.lock().account(user))
    }

    fn find(&self, key: LoginKey) -> StoreFuture<'_, Option<Account>> {
        let maps = self.0.lock();
        let user = maps.logins.get(&key);
        at_once(Ok(user.and_then(|user| maps.accounts.get(user)).cloned()))
    }

    fn user_ids(&self, usernames: Vec<Username>) -> StoreFuture<'_, Vec<UserId>> {
        let maps = self.0.lock();
        at_once(Ok(usernames.iter().filter_map(|name| maps.usernames.get(name).copied()).collect()))
    }

    fn create(&self, account: Account) -> StoreFuture<'_, ()> {
        self.write(|maps| rules::create(maps, &account))
    }

    fn update(&self, user: UserId, change: ProfileChange) -> StoreFuture<'_, Account> {
        self.write(|maps| rules::update(maps, user, change))
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.0.lock().closed = true;
        at_once(Ok(()))
    }
}

impl AccountTables for AccountMaps {
    fn account(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        Ok(self.accounts.get(&user).cloned())
    }

    fn by_login(&self, key: &LoginKey) -> Result<Option<UserId>, StoreError> {
        Ok(self.logins.get(key).copied())
    }

    fn by_username(&self, username: &Username) -> Result<Option<UserId>, StoreError> {
        Ok(self.usernames.get(username).copied())
    }

    fn put_account(&mut self, account: &Account) {
        self.accounts.insert(account.id, account.clone());
    }

    fn put_login(&mut self, key: &LoginKey, user: UserId) {
        self.logins.insert(key.clone(), user);
    }

    fn put_username(&mut self, username: &Username, user: UserId) {
        self.usernames.insert(username.clone(), user);
    }

    fn remove_username(&mut self, username: &Username) {
        self.usernames.remove(username);
    }
}
