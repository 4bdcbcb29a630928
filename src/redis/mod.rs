//! Access to Redis: what the backplane ([`crate::cluster`]) and the stores (`crate::store`) share.
//!
//! | file | holds |
//! |---|---|
//! | [`connector`], [`topology`], [`pool`] | connections; standalone, Sentinel and Cluster differ only in how the masters are found |
//! | [`call`] | one script call or command, and how its reply is read |
//! | [`slots`], [`keys`] | buckets, hash tags and slots; the names of all keys and channels |
//! | [`startup`] | the checks before anything is written |
//! | [`storage`] | calls for the stores, on a thread of their own |
//! | [`error`] | why a call failed, and why the server does not start |
//!
//! The scripts themselves are beside the code that calls them: `cluster/redis/scripts`, `store/redis/scripts`.
//! `docs/decisions/redis-client.md` says why this is not a library's cluster client.

pub mod call;
pub mod connector;
pub mod error;
pub mod keys;
pub mod pool;
pub mod slots;
pub mod startup;
pub mod storage;
pub mod topology;

use error::StartError;

/// Starts a thread with a single-threaded runtime of its own. The thread ends when `work` does.
pub fn spawn_thread<F: Future<Output = ()>>(
    name: &str,
    work: impl FnOnce() -> F + Send + 'static,
) -> Result<(), StartError> {
    let failed = |error: std::io::Error| StartError::Thread(error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(move || runtime.block_on(async { work().await })).map(drop).map_err(failed)
}
