//! Accounts, kept; when users were last seen, in [`last_seen`]; what ties them to one another, in [`relations`].
//!
//! [`Store`] is the port; [`memory`] is the reference, [`disk`] the embedded database, both by the same [`rules`]; [`redis`]
//! is what several nodes share. One contract suite runs them all. The record of an account is in [`account`].

pub mod account;
#[cfg(test)]
mod contract;
pub mod disk;
pub mod last_seen;
pub mod memory;
pub mod redis;
pub mod relations;
mod rules;

use futures_util::future::BoxFuture;

use crate::presence::id::{UserId, Username};
use account::{Account, LoginKey, ProfileChange};

/// Why the store did not do what it was asked. Nothing has changed then, but for [`StoreError::Unavailable`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another account logs in with this key.
    #[error("the login is taken")]
    LoginTaken,
    /// Another account has this username.
    #[error("the username is taken")]
    UsernameTaken,
    /// There is no such account.
    #[error("no such account")]
    NoAccount,
    /// A record cannot be read: its checksum or form is wrong.
    #[error("the record of {0} is damaged")]
    Damaged(String),
    /// The store was written by a version that this one does not know.
    #[error("the store has format {0}, which this version does not know")]
    UnknownFormat(String),
    /// Another process has the store open.
    #[error("the store is in use by another process")]
    InUse,
    /// The database or the disk failed.
    #[error("the database failed: {0}")]
    Database(String),
    /// Too much waits to be written: the disk is stuck or far too slow.
    #[error("too much waits to be written")]
    Busy,
    /// Redis is away or answers too late: to be asked again. Of a write, nobody knows whether it was made.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
}

/// The answer of a [`Store`], later.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, StoreError>>;

/// Keeps accounts. What a write has answered is kept, whatever happens then.
pub trait Store: Send + Sync {
    /// An account by its id.
    fn account(&self, user: UserId) -> Answer<'_, Option<Account>>;

    /// An account by what it logs in with.
    fn find(&self, key: LoginKey) -> Answer<'_, Option<Account>>;

    /// The ids of those usernames that exist, in the order asked.
    fn user_ids(&self, usernames: Vec<Username>) -> Answer<'_, Vec<UserId>>;

    /// Adds an account. Its id, its logins and its username must be free.
    fn create(&self, account: Account) -> Answer<'_, ()>;

    /// Changes an account's profile; returns the account after it.
    fn update(&self, user: UserId, change: ProfileChange) -> Answer<'_, Account>;

    /// Writes what is under way and takes no more.
    fn close(&self) -> Answer<'_, ()>;
}
