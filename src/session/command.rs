//! The vocabulary of all dialects: the commands of a client, and the replies of its session.
//!
//! The commands of Tencent members are in [`member`](super::member). How a dialect reads and writes them is in
//! [`protocol`](super::protocol).

use std::time::Duration;

use bytestring::ByteString;

use super::member::{MemberCommand, MemberReply};
use crate::metrics::RefusalReason;
use crate::outbox::{ClientAlias, RequestTag, VisibleConnection};
use crate::presence::id::{ConnectionId, UserId, Username};
use crate::presence::quota::QuotaExceeded;
use crate::presence::status::StatusText;

/// A command with the tag that the client gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaggedCommand {
    /// Goes into the one reply.
    pub tag: RequestTag,
    /// The command.
    pub command: Command,
}

/// A command of a client to its session. It is well-formed: the dialect refuses malformed messages itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Reply, so that the client can measure the connection.
    Ping,
    /// Show this status on this connection. `None` makes the connection invisible.
    SetStatus(Option<StatusText>),
    /// Return the presence of these users, and push every change from now on.
    Follow {
        /// Users by id.
        users: Vec<UserId>,
        /// Users by username. Unknown usernames are skipped.
        usernames: Vec<Username>,
    },
    /// Stop the pushes about these users.
    Unfollow(Vec<UserId>),
    /// Authenticate the client by this token, which may be empty. Must be the first command of a session with an in-band
    /// handshake, and no other session has it.
    Connect {
        /// A connection token.
        token: ByteString,
    },
    /// Replace the client's token.
    Refresh {
        /// A connection token of the same user.
        token: ByteString,
    },
    /// Return the presence of this user, and push every change from now on under this name. Refused if the session
    /// follows the user already.
    Subscribe {
        /// The user to follow.
        user: UserId,
        /// The client's own name for the user.
        alias: ClientAlias,
    },
    /// Mark the user active. A state text is shown on this connection.
    MarkActive(Option<StatusText>),
    /// Return the visible connections of this user.
    ListConnections(UserId),
    /// A command of a Tencent member.
    Member(MemberCommand),
    /// Do nothing: the message needs no reply.
    Nothing,
}

impl Command {
    /// Returns whether the command authenticates the client.
    pub fn is_connect(&self) -> bool {
        matches!(self, Self::Connect { .. })
    }
}

/// A reply of the session itself. The outbox answers follows, with snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The reply to a ping.
    Pong,
    /// The command is done.
    Done,
    /// The client is connected.
    Connected(Welcome),
    /// The token is replaced.
    Refreshed {
        /// How long the new token is valid. `None` means without a limit.
        ttl: Option<Duration>,
    },
    /// The visible connections of a user. The one that changed last is at the end.
    Connections(Vec<VisibleConnection>),
    /// A reply to a Tencent member.
    Member(MemberReply),
    /// The command is refused and has changed nothing.
    Refused(Refusal),
}

/// What a client learns when it is connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The connection's id.
    pub connection: ConnectionId,
    /// How long the token is valid. `None` means without a limit.
    pub ttl: Option<Duration>,
    /// Time between two pings of the dialect's own, which the client has to answer. `None` means that the dialect sends
    /// no pings of its own.
    pub ping: Option<Duration>,
}

impl Refusal {
    /// Returns the reason for metrics and logs.
    pub fn reason(&self) -> RefusalReason {
        match self {
            Self::TooManyFollows(_) => RefusalReason::FollowLimit,
            Self::RateLimited { .. } => RefusalReason::RateLimit,
            Self::AlreadyFollowed => RefusalReason::AlreadyFollowed,
            Self::TokenExpired => RefusalReason::TokenExpired,
            Self::NotPermitted => RefusalReason::NotPermitted,
            Self::StateNotAllowed => RefusalReason::Message,
            Self::Disabled => RefusalReason::Disabled,
            Self::Busy => RefusalReason::Busy,
        }
    }
}

impl Reply {
    /// Returns why the reply refuses the command, or `None` if it does not.
    pub fn refusal_reason(&self) -> Option<RefusalReason> {
        match self {
            Self::Refused(refusal) => Some(refusal.reason()),
            Self::Member(MemberReply::Refused(refusal)) => Some(refusal.reason()),
            Self::Pong
            | Self::Done
            | Self::Connected(_)
            | Self::Refreshed { .. }
            | Self::Connections(_)
            | Self::Member(_) => None,
        }
    }
}

/// Why a well-formed command is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The session would exceed its quota of followed users.
    TooManyFollows(QuotaExceeded),
    /// The session exceeds its rate limit.
    RateLimited {
        /// The number of commands allowed in a window.
        limit: usize,
        /// How long until the next command is accepted.
        retry_after: Duration,
    },
    /// The session follows the user already.
    AlreadyFollowed,
    /// The token is not valid any more, or not yet.
    TokenExpired,
    /// The user may not do this.
    NotPermitted,
    /// The configuration does not allow this state text.
    StateNotAllowed,
    /// The configuration disables the command.
    Disabled,
    /// The server cannot execute the command at the moment.
    Busy,
}
