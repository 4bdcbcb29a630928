//! What a write does to the tables, whatever they are kept in. All is checked before anything is put.

use super::StoreError;
use super::account::{Account, LoginKey, ProfileChange};
use crate::presence::id::{UserId, Username};

/// A write that waits for its turn.
#[derive(Clone, Debug)]
pub enum Write {
    /// Add an account.
    Create(Box<Account>),
    /// Change a profile.
    Update(UserId, Box<ProfileChange>),
}

/// The three tables: accounts by id, and ids by login and by username.
pub trait Tables {
    fn account(&self, user: UserId) -> Result<Option<Account>, StoreError>;
    fn by_login(&self, key: &LoginKey) -> Result<Option<UserId>, StoreError>;
    fn by_username(&self, username: &Username) -> Result<Option<UserId>, StoreError>;
    fn put_account(&mut self, account: &Account);
    fn put_login(&mut self, key: &LoginKey, user: UserId);
    fn put_username(&mut self, username: &Username, user: UserId);
    fn remove_username(&mut self, username: &Username);
}

/// Carries out one write; returns the account after it.
pub fn apply(write: Write, tables: &mut impl Tables) -> Result<Account, StoreError> {
    match write {
        Write::Create(account) => create(*account, tables),
        Write::Update(user, change) => update(user, *change, tables),
    }
}

fn create(account: Account, tables: &mut impl Tables) -> Result<Account, StoreError> {
    let keys = account.login_keys();
    for key in &keys {
        if tables.by_login(key)?.is_some() {
            return Err(StoreError::LoginTaken);
        }
    }
    if tables.by_username(&account.username)?.is_some() {
        return Err(StoreError::UsernameTaken);
    }
    keys.iter().for_each(|key| tables.put_login(key, account.id));
    tables.put_username(&account.username, account.id);
    tables.put_account(&account);
    Ok(account)
}

fn update(user: UserId, change: ProfileChange, tables: &mut impl Tables) -> Result<Account, StoreError> {
    let mut account = tables.account(user)?.ok_or(StoreError::NoAccount)?;
    let before = account.username.clone();
    account.change(change);
    if account.username != before {
        if tables.by_username(&account.username)?.is_some() {
            return Err(StoreError::UsernameTaken);
        }
        tables.remove_username(&before);
        tables.put_username(&account.username, user);
    }
    tables.put_account(&account);
    Ok(account)
}
