//! The port of the last-seen records.

use crate::presence::id::UserId;
use crate::presence::last_seen::{Activity, LastSeen};
use crate::store::StoreFuture;

/// The error of a store with a full inbox: the disk or Redis is stuck or far too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many activities wait to be written")]
pub struct TooManyWaiting;

/// Stores when users were last seen, until there was no activity for the configured time.
pub trait LastSeenStore: Send + Sync {
    /// Takes in activities. Never waits. Refused activities are counted, and the others are taken in all the same.
    fn note(&self, activities: &mut dyn Iterator<Item = (UserId, Activity)>) -> Result<(), TooManyWaiting>;

    /// Returns the records of these users, in the order of the request, with every activity noted before. The record of an
    /// unknown user is empty.
    fn read(&self, users: Vec<UserId>) -> StoreFuture<'_, Vec<LastSeen>>;

    /// Forgets these users. The deletion is durable when the reply is there.
    fn forget(&self, users: Vec<UserId>) -> StoreFuture<'_, ()>;

    /// Writes everything that waits and accepts no more.
    fn close(&self) -> StoreFuture<'_, ()>;
}
