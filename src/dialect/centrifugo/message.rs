//! The meaning of a command, whatever its format: what is asked, which error it deserves, how a close is said.
//!
//! Codes and texts are those of the Go library `centrifuge` (`errors.go`, `disconnect.go`). Every close has a reason:
//! centrifuge-js goes by the code only where there is one.

use serde::Deserialize;

use super::channel;
use crate::outbox::{RequestTag, VisibleConnection};
use crate::presence::status::StatusText;
use crate::session::command::{Command, Refusal, Reply, TaggedCommand, Welcome};
use crate::session::protocol::{CloseFrame, CloseReason, Decoded};

/// What is told as the server's version.
const VERSION: &str = concat!("hereabouts ", env!("CARGO_PKG_VERSION"));

/// The rpc that marks the client's user active.
const UPDATE_USER_STATUS: &str = "update_user_status";

pub(super) const BAD_REQUEST: CloseFrame = CloseFrame::new(3501, "bad request");

/// Errors of replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Internal = 100,
    UnknownChannel = 102,
    PermissionDenied = 103,
    MethodNotFound = 104,
    AlreadySubscribed = 105,
    LimitExceeded = 106,
    BadRequest = 107,
    NotAvailable = 108,
    TokenExpired = 109,
    TooManyRequests = 111,
}

impl Code {
    /// Its text.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Internal => "internal server error",
            Self::UnknownChannel => "unknown channel",
            Self::PermissionDenied => "permission denied",
            Self::MethodNotFound => "method not found",
            Self::AlreadySubscribed => "already subscribed",
            Self::LimitExceeded => "limit exceeded",
            Self::BadRequest => "bad request",
            Self::NotAvailable => "not available",
            Self::TokenExpired => "token expired",
            Self::TooManyRequests => "too many requests",
        }
    }

    /// Whether the same may succeed later.
    pub(super) fn is_temporary(self) -> bool {
        matches!(self, Self::Internal | Self::TooManyRequests)
    }
}

/// A message that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// A command as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    /// Zero: none.
    pub id: u32,
    pub method: Option<Method>,
}

/// What a command asks for, as far as anything here depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Connect { token: String },
    Ping,
    Subscribe { channel: String },
    Unsubscribe { channel: String },
    Publish,
    Presence { channel: String },
    PresenceStats { channel: String },
    History,
    Rpc { method: String, data: Vec<u8> },
    Send,
    Refresh { token: String },
    SubRefresh,
}

/// A command's id, and what its reply depends on, through the session and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    pub id: u32,
    pub kind: Kind,
    /// The channel it is about, if any.
    pub channel: &'a str,
}

/// Which reply a command gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Unsubscribe,
    Presence,
    PresenceStats,
    Rpc,
    /// Its answer says it by itself.
    Other,
}

impl<'a> Tag<'a> {
    fn written(self) -> RequestTag {
        let kind = match self.kind {
            Kind::Unsubscribe => 'u',
            Kind::Presence => 'p',
            Kind::PresenceStats => 's',
            Kind::Rpc => 'r',
            Kind::Other => 'o',
        };
        RequestTag(Some(format!("{kind}{} {}", self.id, self.channel).into()))
    }

    /// Reads what [`Tag::written`] wrote.
    pub(super) fn of(tag: &'a RequestTag) -> Self {
        let text = tag.0.as_deref().unwrap_or_default();
        let (head, channel) = text.split_once(' ').unwrap_or((text, ""));
        let kind = match head.chars().next() {
            Some('u') => Kind::Unsubscribe,
            Some('p') => Kind::Presence,
            Some('s') => Kind::PresenceStats,
            Some('r') => Kind::Rpc,
            Some(_) | None => Kind::Other,
        };
        Self { id: head.get(1..).and_then(|id| id.parse().ok()).unwrap_or(0), kind, channel }
    }
}

/// What a command means; an error code is what it is refused with.
pub(super) fn interpret(call: Call) -> Result<Decoded, Code> {
    let Call { id, method } = call;
    let Some(method) = method else {
        return Ok(if id == 0 { Decoded::Pong } else { Decoded::Fatal(Vec::new(), BAD_REQUEST) });
    };
    if id == 0 && method != Method::Send {
        return Ok(Decoded::Pong);
    }
    let request = |kind, channel: &str, command| {
        Ok(Decoded::Command(TaggedCommand { tag: Tag { id, kind, channel }.written(), command }))
    };
    match method {
        Method::Connect { token } => request(Kind::Other, "", Command::Connect { token: token.into() }),
        Method::Refresh { token } => request(Kind::Other, "", Command::Refresh { token: token.into() }),
        Method::Send => request(Kind::Other, "", Command::Nothing),
        Method::Subscribe { channel }
        | Method::Unsubscribe { channel }
        | Method::Presence { channel }
        | Method::PresenceStats { channel }
            if channel.is_empty() =>
        {
            Ok(Decoded::Fatal(Vec::new(), BAD_REQUEST))
        }
        Method::Subscribe { channel } => {
            let (user, alias) = channel::parse(&channel)?;
            request(Kind::Other, &channel, Command::Subscribe { user, alias })
        }
        Method::Unsubscribe { channel } => {
            // Whoever does not subscribe to a channel has no less of it afterwards.
            let users = channel::parse(&channel).map(|(user, _)| user).into_iter().collect();
            request(Kind::Unsubscribe, &channel, Command::Unfollow(users))
        }
        Method::Presence { channel } => {
            request(Kind::Presence, &channel, Command::ListConnections(channel::parse(&channel)?.0))
        }
        Method::PresenceStats { channel } => {
            request(Kind::PresenceStats, &channel, Command::ListConnections(channel::parse(&channel)?.0))
        }
        Method::Rpc { method, data } if method == UPDATE_USER_STATUS => {
            request(Kind::Rpc, "", Command::MarkActive(state(&data)?))
        }
        Method::Rpc { .. } => Err(Code::MethodNotFound),
        Method::Publish => Err(Code::PermissionDenied),
        Method::History | Method::SubRefresh => Err(Code::NotAvailable),
        Method::Ping => Ok(Decoded::Fatal(Vec::new(), BAD_REQUEST)),
    }
}

/// The parameters of [`UPDATE_USER_STATUS`].
#[derive(Default, Deserialize)]
struct UpdateUserStatus {
    #[serde(default)]
    state: Option<String>,
}

/// The text that a client wants to show: nothing at all, `null` and `{}` leave it as it is.
fn state(data: &[u8]) -> Result<Option<StatusText>, Code> {
    if data.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let update: Option<UpdateUserStatus> = serde_json::from_slice(data).map_err(|_| Code::BadRequest)?;
    let state = update.unwrap_or_default().state;
    state.map(|text| StatusText::new(&text)).transpose().map_err(|_| Code::BadRequest)
}

/// What a reply says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Error(Code),
    Connect {
        client: String,
        version: &'static str,
        /// Seconds until another token is needed; none: never.
        ttl: Option<u32>,
        /// Seconds between pings that the client answers; none: there are none.
        ping: Option<u32>,
    },
    /// `data` is JSON.
    Subscribe {
        data: String,
    },
    Unsubscribe,
    Presence(Vec<ClientInfo>),
    PresenceStats {
        clients: u32,
        users: u32,
    },
    Rpc,
    Refresh {
        ttl: Option<u32>,
    },
}

/// A connection as others see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientInfo {
    pub user: String,
    pub client: String,
    /// JSON.
    pub conn_info: Option<String>,
}

impl Answer {
    /// The answer that the session's reply is.
    pub(super) fn of(tag: &Tag<'_>, reply: &Reply) -> Self {
        match (reply, tag.kind) {
            (Reply::Refused(refused), _) => Self::Error(refusal(refused)),
            (Reply::Connected(welcome), _) => connected(welcome),
            (Reply::Refreshed { ttl }, _) => Self::Refresh { ttl: ttl.map(seconds) },
            (Reply::Connections(visible), Kind::PresenceStats) => Self::PresenceStats {
                clients: u32::try_from(visible.len()).unwrap_or(u32::MAX),
                users: u32::from(!visible.is_empty()),
            },
            (Reply::Connections(visible), _) => {
                Self::Presence(visible.iter().map(|each| client_info(tag, each)).collect())
            }
            (Reply::Done, Kind::Unsubscribe) => Self::Unsubscribe,
            // Accounts are not in this dialect.
            (Reply::Done | Reply::Pong | Reply::Member(_), _) => Self::Rpc,
        }
    }
}

fn connected(welcome: &Welcome) -> Answer {
    Answer::Connect {
        client: welcome.connection.to_string(),
        version: VERSION,
        ttl: welcome.ttl.map(seconds),
        ping: welcome.ping.map(seconds),
    }
}

/// At least one: zero would be "none", and centrifuge-python has no default for it.
fn seconds(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX).max(1)
}

fn client_info(tag: &Tag<'_>, visible: &VisibleConnection) -> ClientInfo {
    ClientInfo {
        user: channel::user(tag.channel).to_owned(),
        client: visible.connection.to_string(),
        conn_info: visible.info.as_ref().map(ToString::to_string),
    }
}

fn refusal(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::TooManyFollows(_) => Code::LimitExceeded,
        Refusal::RateLimited { .. } => Code::TooManyRequests,
        Refusal::AlreadyFollowed => Code::AlreadySubscribed,
        Refusal::TokenExpired => Code::TokenExpired,
        Refusal::NotPermitted => Code::PermissionDenied,
        Refusal::StateNotAllowed => Code::BadRequest,
        Refusal::Disabled => Code::NotAvailable,
        Refusal::Busy => Code::Internal,
    }
}

/// From 3500 on clients stay away, below they come back; 1009 keeps them away too.
pub(super) fn close_frame(cause: CloseReason) -> CloseFrame {
    match cause {
        CloseReason::Drain => CloseFrame::new(3001, "shutdown"),
        CloseReason::Busy => CloseFrame::new(3004, "internal server error"),
        CloseReason::TokenExpired => CloseFrame::new(3005, "connection expired"),
        CloseReason::LoggedOut => CloseFrame::new(3503, "force disconnect"),
        CloseReason::PingTimeout => CloseFrame::new(3012, "no pong"),
        CloseReason::InvalidToken => CloseFrame::new(3500, "invalid token"),
        CloseReason::BadRequest | CloseReason::ProtocolError | CloseReason::InvalidUtf8 => BAD_REQUEST,
        CloseReason::HandshakeTimeout => CloseFrame::new(3502, "stale"),
        CloseReason::Disconnected => CloseFrame::new(3503, "force disconnect"),
        CloseReason::TooManyConnections => CloseFrame::new(3504, "connection limit"),
        CloseReason::NotPermitted => CloseFrame::new(3507, "permission denied"),
        CloseReason::MessageTooLarge => CloseFrame::new(1009, "message too large"),
    }
}
