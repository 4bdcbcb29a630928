//! The vocabulary of Tencent members: what a member can ask of its session, the replies, and the actions that follow.
//!
//! Elsewhere: the commands of all dialects are in [`command`](super::command), the rules in
//! `state/member.rs`, the work in `actor/member.rs`, the login in
//! [`member_login`](super::member_login).

use std::time::Duration;

use bytestring::ByteString;

use super::listing::MemberFailure;
use crate::metrics::RefusalReason;
use crate::outbox::Frames;
use crate::presence::general_status::GeneralStatus;
use crate::presence::id::UserId;
use crate::presence::member_name::MemberName;
use crate::presence::status::StatusText;

/// A command of a member. It is well-formed: the dialect refuses malformed messages itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberCommand {
    /// Log the member in.
    Login {
        /// The SDKAppID.
        app: u64,
        /// The userID.
        name: MemberName,
        /// The userSig.
        user_sig: ByteString,
        /// The platform that the client runs on.
        platform: Option<ByteString>,
    },
    /// A login with an impossible parameter, and what is wrong with it.
    InvalidLogin(ByteString),
    /// A heartbeat of the client.
    Heartbeat,
    /// A call that needs a login.
    Call(MemberCall),
}

/// A call that needs a login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberCall {
    /// Log the member out and end the connection.
    Logout,
    /// Show this text on all devices.
    SetCustomStatus(Option<StatusText>),
    /// Return the statuses of these users.
    Query(Vec<MemberName>),
    /// Return the statuses of these users, and push every change to all devices from now on.
    Subscribe(Vec<MemberName>),
    /// Stop the pushes about these users. `None` means about all users.
    Unsubscribe(Option<Vec<MemberName>>),
    /// A call with an impossible parameter, and what is wrong with it.
    Invalid(ByteString),
}

/// A reply to a member. The outbox answers logins and subscriptions, with snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberReply {
    /// The reply to a heartbeat.
    Alive,
    /// The member is logged out.
    LoggedOut,
    /// The custom status is set: what the member shows from now on.
    CustomStatusSet(MemberStatus),
    /// The statuses in the order of the query, and the users without one.
    Statuses(Vec<MemberStatus>, Vec<MemberFailure>),
    /// The subscriptions are removed.
    Unsubscribed,
    /// The call is refused and has changed nothing.
    Refused(MemberRefusal),
}

/// The status of a user, as members see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// The name that the query used.
    pub name: MemberName,
    /// The general status over all connections.
    pub general: GeneralStatus,
    /// The status text. May be empty.
    pub text: ByteString,
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberRefusal {
    /// No member has logged in on this connection.
    NotLoggedIn,
    /// A parameter is wrong: which one, and what is wrong with it.
    Invalid(ByteString),
    /// The member exceeds the rate limit of this kind of call.
    RateLimited {
        /// The number of calls allowed in a window. The member has made that many.
        limit: usize,
        /// How long until the next call is accepted.
        retry_after: Duration,
    },
    /// The userSig has expired.
    Expired,
    /// The signature of the userSig is not ours.
    BadSignature,
    /// The userSig belongs to another user.
    OtherUser,
    /// The SDKAppID is not ours.
    OtherApp,
    /// The configuration disables the call.
    Disabled,
    /// The server cannot execute the call at the moment.
    Busy,
}

impl MemberRefusal {
    /// Returns the reason for metrics and logs.
    pub fn reason(&self) -> RefusalReason {
        match self {
            Self::NotLoggedIn => RefusalReason::Unauthenticated,
            Self::Invalid(_) => RefusalReason::Message,
            Self::RateLimited { .. } => RefusalReason::RateLimit,
            Self::Expired => RefusalReason::TokenExpired,
            Self::BadSignature | Self::OtherUser | Self::OtherApp => RefusalReason::Token,
            Self::Disabled => RefusalReason::Disabled,
            Self::Busy => RefusalReason::Busy,
        }
    }
}

/// An action of the session's actor for a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberAction {
    /// Make the connection a device of the member, then call
    /// [`SessionState::member_logged_in`](super::state::SessionState::member_logged_in).
    LogIn {
        /// The member.
        name: MemberName,
        /// What others may know about the connection: JSON.
        info: Option<ByteString>,
    },
    /// Make the outbox wait for the session's own user before it sends `done`, then set the custom status.
    SetCustomStatus {
        /// The request's number.
        id: u32,
        /// The text to show.
        text: Option<StatusText>,
        /// The reply.
        done: Frames,
    },
    /// Read the statuses of these users.
    Query {
        /// In the order of the query, each once.
        names: Vec<MemberName>,
        /// Whether the query counts against the member's rate limit: it names other users.
        rate_limited: bool,
    },
    /// Store subscriptions, then call
    /// [`SessionState::subscriptions_stored`](super::state::SessionState::subscriptions_stored).
    Subscribe {
        /// In the order of the call, each once.
        names: Vec<MemberName>,
        /// The users that cannot be subscribed to.
        failures: Vec<MemberFailure>,
    },
    /// Remove these subscriptions. `None` means all.
    Unsubscribe(Option<Vec<UserId>>),
    /// Log the member out.
    LogOut,
}
