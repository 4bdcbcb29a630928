//! The port of the revoked tokens.

use crate::auth::revocation::{Revocation, UserRevocations};
use crate::presence::id::UserId;
use crate::store::StoreFuture;

/// Stores which tokens of a user are revoked, until these tokens are expired.
pub trait RevocationStore: Send + Sync {
    /// Revokes tokens of a user. The revocation is durable when the reply is there.
    fn revoke(&self, user: UserId, revocation: Revocation) -> StoreFuture<'_, ()>;

    /// Returns what is revoked of a user's tokens, with every revocation that had its reply before.
    fn revocations(&self, user: UserId) -> StoreFuture<'_, UserRevocations>;

    /// Commits the writes that wait and accepts no more.
    fn close(&self) -> StoreFuture<'_, ()>;
}
