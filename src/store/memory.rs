//! Accounts in memory: the reference that the other stores are held against. Gone at exit.

use futures_util::FutureExt;
use futures_util::future::ready;
use hashbrown::HashMap;
use parking_lot::Mutex;

use super::account::{Account, LoginKey, ProfileChange};
use super::rules::{Tables, Write, apply};
use super::{Answer, Store, StoreError};
use crate::presence::id::{UserId, Username};

/// Accounts in memory.
#[derive(Default)]
pub struct MemoryStore(Mutex<Maps>);

#[derive(Default)]
struct Maps {
    accounts: HashMap<UserId, Account>,
    logins: HashMap<LoginKey, UserId>,
    usernames: HashMap<Username, UserId>,
    closed: bool,
}

impl MemoryStore {
    /// No accounts yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn write(&self, write: Write) -> Result<Account, StoreError> {
        let mut maps = self.0.lock();
        if maps.closed { Err(StoreError::Closed) } else { apply(write, &mut *maps) }
    }
}

fn now<'a, T: Send + 'a>(result: Result<T, StoreError>) -> Answer<'a, T> {
    ready(result).boxed()
}

impl Store for MemoryStore {
    fn account(&self, user: UserId) -> Answer<'_, Option<Account>> {
        now(self.0.lock().account(user))
    }

    fn find(&self, key: LoginKey) -> Answer<'_, Option<Account>> {
        let maps = self.0.lock();
        let user = maps.logins.get(&key);
        now(Ok(user.and_then(|user| maps.accounts.get(user)).cloned()))
    }

    fn user_ids(&self, usernames: Vec<Username>) -> Answer<'_, Vec<UserId>> {
        let maps = self.0.lock();
        now(Ok(usernames.iter().filter_map(|name| maps.usernames.get(name).copied()).collect()))
    }

    fn create(&self, account: Account) -> Answer<'_, ()> {
        now(self.write(Write::Create(Box::new(account))).map(|_| ()))
    }

    fn update(&self, user: UserId, change: ProfileChange) -> Answer<'_, Account> {
        now(self.write(Write::Update(user, Box::new(change))))
    }

    fn close(&self) -> Answer<'_, ()> {
        self.0.lock().closed = true;
        now(Ok(()))
    }
}

impl Tables for Maps {
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
