//! The effect of a write on the tables, for every store that can change them in one step. Everything is checked before
//! anything is changed.

use super::{Account, LoginKey, ProfileChange};
use crate::presence::id::{UserId, Username};
use crate::store::StoreError;

/// The three tables: accounts by id, and ids by login and by username.
pub trait AccountTables {
    fn account(&self, user: UserId) -> Result<Option<Account>, StoreError>;
    fn by_login(&self, key: &LoginKey) -> Result<Option<UserId>, StoreError>;
    fn by_username(&self, username: &Username) -> Result<Option<UserId>, StoreError>;
    fn put_account(&mut self, account: &Account);
    fn put_login(&mut self, key: &LoginKey, user: UserId);
    fn put_username(&mut self, username: &Username, user: UserId);
    fn remove_username(&mut self, username: &Username);
}

/// Adds an account.
pub fn create(tables: &mut impl AccountTables, account: &Account) -> Result<(), StoreError> {
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
    tables.put_account(account);
    Ok(())
}

/// Changes a profile. Returns the account after the change.
pub fn update(tables: &mut impl AccountTables, user: UserId, change: ProfileChange) -> Result<Account, StoreError> {
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
