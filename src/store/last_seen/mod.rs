//! When users were last seen, kept.
//!
//! [`LastSeenStore`] is the port; [`memory`] is the reference, [`disk`] the embedded database, [`super::redis::last_seen`] what
//! several nodes share. A sighting counts at once and is written within a second, together with all others of that
//! second; what waits meanwhile is in [`inbox`] and [`waiting`].

#[cfg(test)]
mod contract;
pub mod disk;
pub(super) mod inbox;
pub mod memory;
mod record;
pub(super) mod waiting;

use super::Answer;
use crate::presence::id::UserId;
use crate::presence::last_seen::{Activity, LastSeen};

/// So much waits to be written that nothing more is taken in: the disk is stuck or far too slow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many sightings wait to be written")]
pub struct TooManyWaiting;

/// Remembers when users were last seen, until nothing has been heard of them for the configured time.
pub trait LastSeenStore: Send + Sync {
    /// Takes sightings in. Never waits; what is refused is counted, and the rest is taken all the same.
    fn note(&self, sightings: &mut dyn Iterator<Item = (UserId, Activity)>) -> Result<(), TooManyWaiting>;

    /// The records of these users, in the order asked, with everything noted before; of an unknown user an empty one.
    fn read(&self, users: Vec<UserId>) -> Answer<'_, Vec<LastSeen>>;

    /// Forgets these users; on disk when answered.
    fn forget(&self, users: Vec<UserId>) -> Answer<'_, ()>;

    /// Writes what waits and takes no more.
    fn close(&self) -> Answer<'_, ()>;
}
