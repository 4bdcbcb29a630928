//! What ties users to one another and lasts: an account's standing (logins, subscriptions), friends, blocks.
//!
//! [`RelationStore`] is the port; [`memory`] is the reference, [`disk`] the embedded database, [`super::redis::relations`] what several
//! nodes share. All carry out the changes by the rules of `presence/`, and one contract suite runs them.

#[cfg(test)]
mod contract;
pub mod disk;
pub mod memory;
pub(super) mod record;
pub(super) mod writer;

use super::{Answer, StoreError};
use crate::presence::id::UserId;
use crate::presence::member_name::MemberName;
use crate::presence::member_record::{LoginState, MemberRecord, RelationChange};
use crate::presence::quota::{Quota, QuotaExceeded};
use crate::presence::roster::{Roster, RosterKind};

/// A change of a user's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RosterChange {
    /// Add these, all or none.
    Add(Vec<MemberName>, Quota),
    /// Take these out.
    Remove(Vec<UserId>),
}

/// A standing after a change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelationChanged {
    /// The standing.
    pub standing: MemberRecord,
    /// To whom the account subscribes no longer.
    pub dropped: Vec<UserId>,
}

/// Keeps standings and lists. What a write has answered is kept, whatever happens then.
pub trait RelationStore: Send + Sync {
    /// Changes an account's standing. Of one account, changes happen in the order in which they are asked for.
    fn change(&self, account: UserId, change: RelationChange) -> Answer<'_, RelationChanged>;

    /// What lasts of an account.
    fn standing(&self, account: UserId) -> Answer<'_, MemberRecord>;

    /// Where these accounts are by their logins, in the order asked.
    fn login_states(&self, accounts: Vec<UserId>) -> Answer<'_, Vec<LoginState>>;

    /// Changes a list; returns it after the change.
    fn alter(&self, kind: RosterKind, owner: UserId, change: RosterChange)
    -> Answer<'_, Result<Roster, QuotaExceeded>>;

    /// A user's list.
    fn roster(&self, kind: RosterKind, owner: UserId) -> Answer<'_, Roster>;

    /// Every list of a kind that is not empty. For the start: it blocks.
    fn rosters(&self, kind: RosterKind) -> Result<Vec<(UserId, Roster)>, StoreError>;

    /// Writes what is under way and takes no more.
    fn close(&self) -> Answer<'_, ()>;
}
