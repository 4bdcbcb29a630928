//! The port of the accounts.

use super::{Account, LoginKey, ProfileChange};
use crate::presence::id::{UserId, Username};
use crate::store::StoreFuture;

/// Stores accounts. A write is durable when its reply is there.
pub trait AccountStore: Send + Sync {
    /// Returns an account by its id.
    fn account(&self, user: UserId) -> StoreFuture<'_, Option<Account>>;

    /// Returns an account by a login.
    fn find(&self, key: LoginKey) -> StoreFuture<'_, Option<Account>>;

    /// Returns the ids of the usernames that exist, in the order of the request.
    fn user_ids(&self, usernames: Vec<Username>) -> StoreFuture<'_, Vec<UserId>>;

    /// Adds an account. Its id, its logins and its username must be free.
    fn create(&self, account: Account) -> StoreFuture<'_, ()>;

    /// Changes an account's profile. Returns the account after the change.
    fn update(&self, user: UserId, change: ProfileChange) -> StoreFuture<'_, Account>;

    /// Commits the writes that wait and accepts no more.
    fn close(&self) -> StoreFuture<'_, ()>;
}
