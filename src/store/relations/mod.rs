//! Persistent relations between users: member records (login state, subscriptions), friends, blocked users.
//!
//! [`port`] is the trait. [`memory`] is the reference, [`disk`] the embedded database, [`redis`] what several nodes share. All
//! of them follow the [`rules`], and one contract suite runs them. [`record`] is the form of stored records, on disk and in
//! Redis.

#[cfg(test)]
mod contract;
pub mod disk;
pub mod memory;
pub mod port;
mod record;
pub mod redis;
mod rules;

pub use port::{ChangedMember, RelationStore, RosterChange};
