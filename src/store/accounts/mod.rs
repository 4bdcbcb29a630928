//! Accounts: users that signed up here, by Nakama's API.
//!
//! [`port`] is the trait, [`account`] the data. [`memory`] is the reference, [`disk`] the embedded database; both follow the
//! [`rules`]. [`redis`] is what several nodes share, with [`names`] for the usernames and logins that only one account may
//! have. [`record`] is the form of a stored account, on disk and in Redis. One contract suite runs all stores.

pub mod account;
#[cfg(test)]
mod contract;
pub mod disk;
pub mod memory;
mod names;
pub mod port;
mod record;
pub mod redis;
mod rules;

pub use account::{Account, LoginKey, Profile, ProfileChange};
pub use port::AccountStore;
