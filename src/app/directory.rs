//! Looks up usernames in the store for sessions.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::presence::id::{UserId, Username};
use crate::session::{Directory, LookupFailed};
use crate::store::accounts::AccountStore;

/// The store of accounts as sessions see it.
pub struct StoreDirectory(pub Arc<dyn AccountStore>);

impl Directory for StoreDirectory {
    fn user_ids(&self, usernames: Vec<Username>) -> BoxFuture<'_, Result<Vec<UserId>, LookupFailed>> {
        async {
            self.0.user_ids(usernames).await.map_err(|error| {
                log::error!("usernames could not be looked up: {error}");
                LookupFailed
            })
        }
        .boxed()
    }
}
