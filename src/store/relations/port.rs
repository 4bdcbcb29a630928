//! The port of the relations, and the changes that it takes.

use crate::presence::id::UserId;
use crate::presence::member_name::MemberName;
use crate::presence::member_record::{LoginState, MemberRecord, RelationChange};
use crate::presence::quota::{Quota, QuotaExceeded};
use crate::presence::roster::{Roster, RosterKind};
use crate::store::{StoreError, StoreFuture};

/// A change of a user's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RosterChange {
    /// Add these members, all or none.
    Add(Vec<MemberName>, Quota),
    /// Remove these users.
    Remove(Vec<UserId>),
}

/// The result of a change of a member record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangedMember {
    /// The record after the change.
    pub member: MemberRecord,
    /// The users to which the member no longer subscribes.
    pub dropped: Vec<UserId>,
}

/// Stores member records and lists. A write is durable when its reply is there.
pub trait RelationStore: Send + Sync {
    /// Changes a member record. The changes of one member happen in the order of the calls.
    fn change_member(&self, user: UserId, change: RelationChange) -> StoreFuture<'_, ChangedMember>;

    /// Returns the record of a member.
    fn member(&self, user: UserId) -> StoreFuture<'_, MemberRecord>;

    /// Returns the login states of members, in the order of the request.
    fn login_states(&self, users: Vec<UserId>) -> StoreFuture<'_, Vec<LoginState>>;

    /// Changes a list. Returns the list after the change.
    fn change_roster(
        &self,
        kind: RosterKind,
        owner: UserId,
        change: RosterChange,
    ) -> StoreFuture<'_, Result<Roster, QuotaExceeded>>;

    /// Returns a user's list.
    fn roster(&self, kind: RosterKind, owner: UserId) -> StoreFuture<'_, Roster>;

    /// Returns every list of a kind that is not empty. Blocks the caller, so it is for the start only.
    fn rosters(&self, kind: RosterKind) -> Result<Vec<(UserId, Roster)>, StoreError>;

    /// Commits the writes that wait and accepts no more.
    fn close(&self) -> StoreFuture<'_, ()>;
}
