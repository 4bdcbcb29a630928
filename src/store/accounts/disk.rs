//! Accounts in the embedded database. [`crate::store::group_commit`] says how writes are committed.

use std::collections::HashMap;

use futures_util::FutureExt;

use super::port::AccountStore;
use super::record;
use super::rules::{self, AccountTables};
use super::{Account, LoginKey, ProfileChange};
use crate::presence::id::{UserId, Username};
use crate::store::database::{DiskTables, Table, WriteBatch, read};
use crate::store::group_commit::{GroupStore, GroupWriter};
use crate::store::{StoreError, StoreFuture};

/// Accounts on disk.
pub struct DiskAccounts {
    tables: DiskTables,
    writer: GroupWriter<AccountGroup>,
}

impl DiskAccounts {
    /// Starts the writer.
    pub(in crate::store) fn start(tables: DiskTables) -> Result<Self, StoreError> {
        let writer = GroupWriter::start("accounts", None, AccountWriter(tables.clone()))?;
        Ok(Self { tables, writer })
    }

    fn read<T: Send + 'static>(
        &self,
        look_up: impl FnOnce(&DiskTables) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        let tables = self.tables.clone();
        read(move || look_up(&tables))
    }
}

impl AccountStore for DiskAccounts {
    fn account(&self, user: UserId) -> StoreFuture<'_, Option<Account>> {
        self.read(move |tables| get_account(tables, user))
    }

    fn find(&self, key: LoginKey) -> StoreFuture<'_, Option<Account>> {
        self.read(move |tables| match get_id(tables, Table::Logins, &key.tagged())? {
            Some(user) => get_account(tables, user),
            None => Ok(None),
        })
    }

    fn user_ids(&self, usernames: Vec<Username>) -> StoreFuture<'_, Vec<UserId>> {
        self.read(move |tables| {
            let ids = usernames.iter().map(|name| get_id(tables, Table::Usernames, name.as_str()));
            ids.filter_map(Result::transpose).collect()
        })
    }

    fn create(&self, account: Account) -> StoreFuture<'_, ()> {
        self.writer.write(move |group| rules::create(group, &account))
    }

    fn update(&self, user: UserId, change: ProfileChange) -> StoreFuture<'_, Account> {
        self.writer.write(move |group| rules::update(group, user, change))
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.writer.close().boxed()
    }
}

fn get_account(tables: &DiskTables, user: UserId) -> Result<Option<Account>, StoreError> {
    let bytes = tables.get(Table::Accounts, user.uuid_bytes())?;
    bytes.map(|bytes| record::decode(user, &bytes)).transpose()
}

/// Reads an index entry: the user of a login or username.
fn get_id(tables: &DiskTables, index: Table, key: &str) -> Result<Option<UserId>, StoreError> {
    let id = |bytes: &[u8]| {
        let uuid = uuid::Uuid::from_slice(bytes).map_err(|_| StoreError::Damaged("an index entry".into()))?;
        Ok(UserId::from_uuid(uuid))
    };
    tables.get(index, key.as_bytes())?.map(|bytes| id(&bytes)).transpose()
}

/// The store on the writer's thread.
struct AccountWriter(DiskTables);

impl GroupStore for AccountWriter {
    type Group = AccountGroup;

    fn begin(&mut self) -> AccountGroup {
        AccountGroup {
            batch: self.0.batch(),
            tables: self.0.clone(),
            accounts: HashMap::new(),
            logins: HashMap::new(),
            usernames: HashMap::new(),
        }
    }

    fn commit(&mut self, group: AccountGroup) -> Result<(), StoreError> {
        self.0.commit(group.batch)
    }

    /// Syncs the database, whatever the last commit came to.
    fn close(&mut self, _: Result<(), StoreError>) -> Result<(), StoreError> {
        self.0.sync()
    }
}

/// The tables with the uncommitted writes of a group on top.
struct AccountGroup {
    tables: DiskTables,
    batch: WriteBatch,
    accounts: HashMap<UserId, Account>,
    logins: HashMap<LoginKey, UserId>,
    /// `None` means removed.
    usernames: HashMap<Username, Option<UserId>>,
}

impl AccountTables for AccountGroup {
    fn account(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        match self.accounts.get(&user) {
            Some(account) => Ok(Some(account.clone())),
            None => get_account(&self.tables, user),
        }
    }

    fn by_login(&self, key: &LoginKey) -> Result<Option<UserId>, StoreError> {
        match self.logins.get(key) {
            Some(&user) => Ok(Some(user)),
            None => get_id(&self.tables, Table::Logins, &key.tagged()),
        }
    }

    fn by_username(&self, username: &Username) -> Result<Option<UserId>, StoreError> {
        match self.usernames.get(username) {
            Some(&user) => Ok(user),
            None => get_id(&self.tables, Table::Usernames, username.as_str()),
        }
    }

    fn put_account(&mut self, account: &Account) {
        self.batch.insert(Table::Accounts, *account.id.uuid_bytes(), record::encode(account));
        self.accounts.insert(account.id, account.clone());
    }

    fn put_login(&mut self, key: &LoginKey, user: UserId) {
        self.batch.insert(Table::Logins, key.tagged(), *user.uuid_bytes());
        self.logins.insert(key.clone(), user);
    }

    fn put_username(&mut self, username: &Username, user: UserId) {
        self.batch.insert(Table::Usernames, username.as_str(), *user.uuid_bytes());
        self.usernames.insert(username.clone(), Some(user));
    }

    fn remove_username(&mut self, username: &Username) {
        self.batch.remove(Table::Usernames, username.as_str());
        self.usernames.insert(username.clone(), None);
    }
}
