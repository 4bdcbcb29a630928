//! The reply to a member's login or subscription call, with the users that the member follows from then on.

use std::time::Duration;

use super::protocol::Protocol;
use crate::outbox::{Frames, RequestTag, SnapshotReply};
use crate::presence::diff::Snapshot;
use crate::presence::member_name::MemberName;
use crate::presence::subscriptions::DeliveredStatus;

/// The users that a member follows after a login or a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// What the reply answers.
    pub kind: ListingKind,
    /// The followed users by the member's names, each once.
    pub names: Vec<MemberName>,
    /// The users that are not followed, with the reasons.
    pub failures: Vec<MemberFailure>,
}

/// What a [`Listing`] answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListingKind {
    /// A call that subscribes.
    Subscription,
    /// A login of the first of the names.
    Login {
        /// How long the client may be silent.
        heartbeat: Duration,
        /// For each name, when the login notifies the member of that user.
        catch_up: Vec<CatchUp>,
    },
}

/// When a login notifies a member of the current status of a user that it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatchUp {
    /// Never.
    Nothing,
    /// If the user is online.
    IfOnline,
    /// Unless the status is the one that the member received last.
    UnlessDelivered(Option<DeliveredStatus>),
}

/// A user for which a call failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberFailure {
    /// The user by the caller's name.
    pub name: MemberName,
    /// Why the call failed.
    pub reason: MemberFailureReason,
}

/// Why a call failed for a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberFailureReason {
    /// The user is the caller.
    Oneself,
    /// The user does not exist.
    NoAccount,
}

/// A listing that waits for the snapshots of its users.
pub struct ListingReply {
    /// Encodes the reply.
    pub protocol: &'static dyn Protocol,
    /// The request's tag.
    pub tag: RequestTag,
    /// The content.
    pub listing: Listing,
}

impl SnapshotReply for ListingReply {
    fn names(&self) -> &[MemberName] {
        &self.listing.names
    }

    fn encode(&self, snapshots: &[Snapshot]) -> Frames {
        self.protocol.listed(&self.tag, &self.listing, snapshots)
    }
}
