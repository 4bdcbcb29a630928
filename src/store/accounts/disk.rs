//! Accounts in the embedded database. [`crate::store::group_commit`] says how writes are committed.

use std::collections::HashMap;
use std::sync::Arc;

use fjall::{Database, Keyspace, OwnedWriteBatch, PersistMode};
use futures_util::FutureExt;

use super::port::AccountStore;
use super::record;
use super::rules::{self, AccountTables};
use super::{Account, LoginKey, ProfileChange};
use crate::presence::id::{UserId, Username};
use crate::store::database::{keyspace, read, synced_batch};
use crate::store::group_commit::{GroupStore, GroupWriter};
use crate::store::{StoreError, StoreFuture};

/// Accounts on disk.
pub struct DiskAccounts {
    keyspaces: Arc<AccountKeyspaces>,
    writer: GroupWriter<AccountGroup>,
}

struct AccountKeyspaces {
    database: Database,
    accounts: Keyspace,
    logins: Keyspace,
    usernames: Keyspace,
}

impl DiskAccounts {
    /// Opens the keyspaces and starts the writer.
    pub(in crate::store) fn start(database: Database) -> Result<Self, StoreError> {
        let keyspaces = Arc::new(AccountKeyspaces {
            accounts: keyspace(&database, "accounts")?,
            logins: keyspace(&database, "logins")?,
            usernames: keyspace(&database, "usernames")?,
            database,
        });
        let writer = GroupWriter::start("accounts", None, AccountWriter(keyspaces.clone()))?;
        Ok(Self { keyspaces, writer })
    }

    fn read<T: Send + 'static>(
        &self,
        look_up: impl FnOnce(&AccountKeyspaces) -> Result<T, StoreError> + Send + 'static,
    ) -> StoreFuture<'_, T> {
        let keyspaces = self.keyspaces.clone();
        read(move || look_up(&keyspaces))
    }
}

impl AccountStore for DiskAccounts {
    fn account(&self, user: UserId) -> StoreFuture<'_, Option<Account>> {
        self.read(move |keyspaces| keyspaces.account(user))
    }

    fn find(&self, key: LoginKey) -> StoreFuture<'_, Option<Account>> {
        self.read(move |keyspaces| match get_id(&keyspaces.logins, key.tagged().as_bytes())? {
            Some(user) => keyspaces.account(user),
            None => Ok(None),
        })
    }

    fn user_ids(&self, usernames: Vec<Username>) -> StoreFuture<'_, Vec<UserId>> {
        self.read(move |keyspaces| {
            let ids = usernames.iter().map(|name| get_id(&keyspaces.usernames, name.as_str().as_bytes()));
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

impl AccountKeyspaces {
    fn account(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        let bytes = self.accounts.get(user.uuid().as_bytes())?;
        bytes.map(|bytes| record::decode(user, &bytes)).transpose()
    }
}

/// Reads an index entry: the user of a login or username.
fn get_id(index: &Keyspace, key: &[u8]) -> Result<Option<UserId>, StoreError> {
    let id = |bytes: &[u8]| {
        let uuid = uuid::Uuid::from_slice(bytes).map_err(|_| StoreError::Damaged("an index entry".into()))?;
        Ok(UserId::from_uuid(uuid))
    };
    index.get(key)?.map(|bytes| id(&bytes)).transpose()
}

/// The store on the writer's thread.
struct AccountWriter(Arc<AccountKeyspaces>);

impl GroupStore for AccountWriter {
    type Group = AccountGroup;

    fn begin(&mut self) -> AccountGroup {
        AccountGroup {
            batch: synced_batch(&self.0.database),
            keyspaces: self.0.clone(),
            accounts: HashMap::new(),
            logins: HashMap::new(),
            usernames: HashMap::new(),
        }
    }

    fn commit(&mut self, group: AccountGroup) -> Result<(), StoreError> {
        if group.batch.is_empty() {
            return Ok(());
        }
        group.batch.commit().map_err(|error| {
            log::error!("accounts could not be written: {error}");
            StoreError::from(error)
        })
    }

    /// Syncs the database, whatever the last commit came to.
    fn close(&mut self, _: Result<(), StoreError>) -> Result<(), StoreError> {
        self.0.database.persist(PersistMode::SyncAll).map_err(StoreError::from)
    }
}

/// The keyspaces with the uncommitted writes of a group on top.
struct AccountGroup {
    keyspaces: Arc<AccountKeyspaces>,
    batch: OwnedWriteBatch,
    accounts: HashMap<UserId, Account>,
    logins: HashMap<LoginKey, UserId>,
    /// `None` means removed.
    usernames: HashMap<Username, Option<UserId>>,
}

impl AccountTables for AccountGroup {
    fn account(&self, user: UserId) -> Result<Option<Account>, StoreError> {
        match self.accounts.get(&user) {
            Some(account) => Ok(Some(account.clone())),
            None => self.keyspaces.account(user),
        }
    }

    fn by_login(&self, key: &LoginKey) -> Result<Option<UserId>, StoreError> {
        match self.logins.get(key) {
            Some(&user) => Ok(Some(user)),
            None => get_id(&self.keyspaces.logins, key.tagged().as_bytes()),
        }
    }

    fn by_username(&self, username: &Username) -> Result<Option<UserId>, StoreError> {
        match self.usernames.get(username) {
            Some(&user) => Ok(user),
            None => get_id(&self.keyspaces.usernames, username.as_str().as_bytes()),
        }
    }

    fn put_account(&mut self, account: &Account) {
        let key = *account.id.uuid().as_bytes();
        self.batch.insert(&self.keyspaces.accounts, key, record::encode(account));
        self.accounts.insert(account.id, account.clone());
    }

    fn put_login(&mut self, key: &LoginKey, user: UserId) {
        self.batch.insert(&self.keyspaces.logins, key.tagged(), *user.uuid().as_bytes());
        self.logins.insert(key.clone(), user);
    }

    fn put_username(&mut self, username: &Username, user: UserId) {
        self.batch.insert(&self.keyspaces.usernames, username.as_str(), *user.uuid().as_bytes());
        self.usernames.insert(username.clone(), Some(user));
    }

    fn remove_username(&mut self, username: &Username) {
        self.batch.remove(&self.keyspaces.usernames, username.as_str());
        self.usernames.insert(username.clone(), None);
    }
}
