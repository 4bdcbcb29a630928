//! What a client can ask, and what it is answered, whatever the dialect.

use std::time::Duration;

use crate::outbox::RequestTag;
use crate::presence::id::{UserId, Username};
use crate::presence::quota::QuotaExceeded;
use crate::presence::status::StatusText;

/// A command and the name the client gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
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
    /// Nothing: the message needs no answer.
    Nothing,
}

/// The answers that the session itself gives. A follow is answered by the outbox, with snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// To a ping.
    Pong,
    /// It is done.
    Done,
    /// It is not done, and nothing has changed.
    Refused(Refusal),
}

/// Why a well-formed command is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The session would follow more users than it may.
    TooManyFollows(QuotaExceeded),
    /// The session sends more commands than it may.
    TooFast {
        /// The commands allowed in a window.
        limit: usize,
        /// When the next will be taken.
        retry_after: Duration,
    },
    /// The server cannot take it at the moment.
    Busy,
}
