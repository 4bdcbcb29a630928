//! Revoked tokens of users, so that a logout holds after a restart and on every node.
//!
//! [`port`] is the trait. [`memory`] is the reference, [`disk`] the embedded database with its [`filter`], [`redis`] what
//! several nodes share. The rules of a user's record are in [`crate::auth::revocation`]; [`record`] is its stored form. One
//! contract suite runs all stores.

#[cfg(test)]
mod contract;
pub mod disk;
mod filter;
pub mod memory;
pub mod port;
mod record;
pub mod redis;

pub use port::RevocationStore;

/// Number of records that one write examines for expiry. A write adds one record at most, so the expired ones never
/// outnumber the others for long, and no write scans them all.
const SWEEP_STRIDE: usize = 16;
