//! Persistent records: [`accounts`], [`last_seen`] records, [`relations`] between users, [`revocations`] of tokens.
//!
//! Each has a port (a small trait), a store in memory (the reference), one on disk and one in Redis, and one contract suite
//! that runs them all. What the stores on disk share is in [`database`] and [`group_commit`]; what the stores in Redis share
//! is in [`redis`].

pub mod accounts;
mod checked_json;
pub mod database;
mod group_commit;
pub mod last_seen;
pub mod redis;
pub mod relations;
pub mod revocations;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;

/// Why a store did not carry out a request. Nothing has changed then, except after [`StoreError::Unavailable`] and
/// [`StoreError::Unwritable`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another account has this login.
    #[error("the login is taken")]
    LoginTaken,
    /// Another account has this username.
    #[error("the username is taken")]
    UsernameTaken,
    /// The account does not exist.
    #[error("no such account")]
    NoAccount,
    /// A record cannot be read: its checksum or form is wrong.
    #[error("the record of {0} is damaged")]
    Damaged(String),
    /// A version that this one does not know has written the store.
    #[error("the store has format {0}, which this version does not know")]
    UnknownFormat(String),
    /// The folder is not as the store left it, or other users of the machine may read it.
    #[error("the store is not opened: {0}")]
    Refused(String),
    /// Another process has the store open.
    #[error("the store is in use by another process")]
    InUse,
    /// The database or the disk failed.
    #[error("the database failed: {0}")]
    Database(String),
    /// The disk is full or failed, and the store tries to write again by itself. The caller may try again, too. Whether a
    /// write was carried out is unknown.
    #[error("the store cannot write now: {0}")]
    Unwritable(String),
    /// Too many requests wait: the disk or Redis is stuck or far too slow.
    #[error("too much waits to be written")]
    Busy,
    /// Redis is away, or its reply is late. The caller may try again. Whether a write was carried out is unknown.
    #[error("the store cannot be reached: {0}")]
    Unavailable(String),
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

/// Whether the stores can write. Clones share the answer.
#[derive(Clone, Debug)]
pub struct StoreHealth(Arc<AtomicBool>);

impl Default for StoreHealth {
    /// Stores without a disk can always write, or refuse each request by itself.
    fn default() -> Self {
        Self(Arc::new(AtomicBool::new(true)))
    }
}

impl StoreHealth {
    /// Returns whether the stores can write.
    pub fn is_writable(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Returns the shared flag, for the readiness of the server.
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.0.clone()
    }

    /// Sets whether the stores can write. Returns whether that is a change.
    fn set_writable(&self, is_writable: bool) -> bool {
        self.0.swap(is_writable, Ordering::Relaxed) != is_writable
    }
}

/// The result of a store request, when it is there.
pub type StoreFuture<'a, T> = BoxFuture<'a, Result<T, StoreError>>;
