//! When users were last seen.
//!
//! [`port`] is the trait. [`memory`] is the reference, [`disk`] the embedded database, [`redis`] what several nodes share. An
//! activity counts at once and is written within a second, together with all others of that second. Until then it waits in
//! the [`inbox`], merged with the user's other activities ([`waiting`]). [`record`] is the form on disk. One contract suite
//! runs all stores.

#[cfg(test)]
mod contract;
pub mod disk;
mod inbox;
pub mod memory;
pub mod port;
mod record;
pub mod redis;
mod waiting;

pub use port::{LastSeenStore, TooManyWaiting};
