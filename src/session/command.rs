//! What a client can ask, and what it is answered, whatever the dialect.

use std::time::Duration;

use bytestring::ByteString;

use super::member::{MemberCommand, MemberReply};
use crate::outbox::{ClientAlias, RequestTag, VisibleConnection};
use crate::presence::id::{ConnectionId, UserId, Username};
use crate::presence::quota::QuotaExceeded;
use crate::presence::status::StatusText;

/// A command and the name the client gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaggedCommand {
    /// To be echoed in the one answer.
    pub tag: RequestTag,
    /// What is asked.
    pub command: Command,
}

/// What a client can ask of its session. Well-formed: a dialect refuses the rest by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// An answer, to measure the line.
    Ping,
    /// Show this status on this connection; `None` hides it.
    SetStatus(Option<StatusText>),
    /// Tell what these users show, and every change from here on.
    Follow {
        /// By id.
        users: Vec<UserId>,
        /// By username; unknown ones are passed over.
        usernames: Vec<Username>,
    },
    /// Tell no more of these users.
    Unfollow(Vec<UserId>),
    /// Let the client in, who shows this token (empty: none). The first command of a session that does not know yet
    /// whose it is, and no other's.
    Connect {
        /// A connection token.
        token: ByteString,
    },
    /// Take this token in place of the last.
    Refresh {
        /// A connection token of the same user.
        token: ByteString,
    },
    /// Tell what this user shows, and every change from here on, under this name. Refused where it is followed already.
    Subscribe {
        /// Whom to follow.
        user: UserId,
        /// What the client calls it.
        alias: ClientAlias,
    },
    /// The user did something; with a text, show it on this connection.
    MarkActive(Option<StatusText>),
    /// Say which of this user's connections others see.
    ListConnections(UserId),
    /// What an account asks.
    Member(MemberCommand),
    /// Nothing: the message needs no answer.
    Nothing,
}

impl Command {
    /// Whether the client says who it is.
    pub fn connects(&self) -> bool {
        matches!(self, Self::Connect { .. })
    }
}

/// The answers that the session itself gives. A follow is answered by the outbox, with snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To a ping.
    Pong,
    /// It is done.
    Done,
    /// The client is in.
    Connected(Welcome),
    /// The new token is taken.
    Refreshed {
        /// How long it is good; none is for ever.
        ttl: Option<Duration>,
    },
    /// The connections that others see, the one that changed last at the end.
    Connections(Vec<VisibleConnection>),
    /// What an account is answered.
    Member(MemberReply),
    /// It is not done, and nothing has changed.
    Refused(Refusal),
}

/// What a client is told that was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// The connection's id.
    pub connection: ConnectionId,
    /// How long the token is good; none is for ever.
    pub ttl: Option<Duration>,
    /// How often a message asks for a sign of life, which the client has to answer; none: none does.
    pub ping: Option<Duration>,
}

/// Why a well-formed command is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The session would follow more users than it may.
    TooManyFollows(QuotaExceeded),
    /// The session sends more commands than it may.
    RateLimited {
        /// The commands allowed in a window.
        limit: usize,
        /// When the next will be taken.
        retry_after: Duration,
    },
    /// The user is followed already.
    AlreadyFollowed,
    /// The token is not good any more, or not yet.
    TokenExpired,
    /// Whoever this is, it is not for them.
    NotPermitted,
    /// The text is none that a client may say of its user.
    StateNotAllowed,
    /// It is switched off.
    Disabled,
    /// The server cannot take it at the moment.
    Busy,
}
