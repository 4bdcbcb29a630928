//! The meaning of a command in either format: its method or its error, and the close frames.
//!
//! Codes and texts of close frames are those of the Go library `centrifuge` (`disconnect.go`). Every close frame has a
//! reason, because centrifuge-js reads the code only if there is one.

use serde::Deserialize;

use super::channel;
use super::code::Code;
use crate::outbox::{RequestTag, VisibleConnection};
use crate::presence::status::StatusText;
use crate::session::command::{Command, Refusal, Reply, TaggedCommand, Welcome};
use crate::session::protocol::{CloseFrame, CloseReason, Decoded};

/// The server version in the connect reply.
const VERSION: &str = concat!("hereabouts ", env!("CARGO_PKG_VERSION"));

/// The rpc method that marks the client's user active.
const UPDATE_USER_STATUS: &str = "update_user_status";

/// Maximum size of a reply to `presence`, in bytes. The protocol has no pages. Past it the reply is an error, and
/// `presence_stats` still counts.
const MAX_PRESENCE_BYTES: usize = 64 * 1024;

/// Bytes of a connection in a reply to `presence`, without its texts: field names and the id, twice.
const CLIENT_BYTES: usize = 110;

pub(super) const BAD_REQUEST: CloseFrame = CloseFrame::new(3501, "bad request");

/// A message that cannot be decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable;

/// A command as the client wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClientCommand {
    /// Zero means that the client expects no reply.
    pub id: u32,
    pub method: Option<Method>,
}

/// The method of a command, with the fields that this server reads.
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

/// A command's id and what its reply depends on. It passes through the session as the request's tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    pub id: u32,
    pub kind: Kind,
    /// The channel of the command, if any.
    pub channel: &'a str,
}

/// The kind of reply that a command gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Unsubscribe,
    Presence,
    PresenceStats,
    Rpc,
    /// The session's reply determines it.
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

    /// Parses the output of [`Tag::written`].
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

/// Converts a client command to the session's command, or to the error code that refuses it.
pub(super) fn interpret(call: ClientCommand) -> Result<Decoded, Code> {
    let ClientCommand { id, method } = call;
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
            // An unsubscribe from a channel without a subscription succeeds.
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

/// Returns the state text that a client sets. No data, `null` and `{}` leave it unchanged.
fn state(data: &[u8]) -> Result<Option<StatusText>, Code> {
    if data.iter().all(u8::is_ascii_whitespace) {
        return Ok(None);
    }
    let update: Option<UpdateUserStatus> = serde_json::from_slice(data).map_err(|_| Code::BadRequest)?;
    let state = update.unwrap_or_default().state;
    state.map(|text| StatusText::new(&text)).transpose().map_err(|_| Code::BadRequest)
}

/// The reply to one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum CommandReply {
    Error(Code),
    Connect {
        client: String,
        version: &'static str,
        /// Seconds until the client needs another token. `None` means never.
        ttl: Option<u32>,
        /// Seconds between pings that the client must answer. `None` means no pings.
        ping: Option<u32>,
    },
    /// `data` is JSON.
    Subscribe {
        data: String,
    },
    Unsubscribe,
    Presence(Vec<PresenceEntry>),
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
pub(super) struct PresenceEntry {
    pub user: String,
    pub client: String,
    /// JSON.
    pub conn_info: Option<String>,
}

impl CommandReply {
    /// Converts the session's reply.
    pub(super) fn of(tag: &Tag<'_>, reply: &Reply) -> Self {
        match (reply, tag.kind) {
            (Reply::Refused(refused), _) => Self::Error(refusal(refused)),
            (Reply::Connected(welcome), _) => connected(welcome),
            (Reply::Refreshed { ttl }, _) => Self::Refresh { ttl: ttl.map(seconds) },
            (Reply::Connections(visible), Kind::PresenceStats) => Self::PresenceStats {
                clients: u32::try_from(visible.len()).unwrap_or(u32::MAX),
                users: u32::from(!visible.is_empty()),
            },
            (Reply::Connections(visible), _) if presence_bytes(tag, visible) > MAX_PRESENCE_BYTES => {
                Self::Error(Code::LimitExceeded)
            }
            (Reply::Connections(visible), _) => {
                Self::Presence(visible.iter().map(|each| presence_entry(tag, each)).collect())
            }
            (Reply::Done, Kind::Unsubscribe) => Self::Unsubscribe,
            // Members do not exist in this dialect.
            (Reply::Done | Reply::Pong | Reply::Member(_), _) => Self::Rpc,
        }
    }
}

/// Returns the size of a reply to `presence`, about. The size is what a small request could make large.
fn presence_bytes(tag: &Tag<'_>, visible: &[VisibleConnection]) -> usize {
    let info = |each: &VisibleConnection| each.info.as_ref().map_or(0, |info| info.len());
    visible.iter().map(|each| CLIENT_BYTES + channel::user(tag.channel).len() + info(each)).sum()
}

fn connected(welcome: &Welcome) -> CommandReply {
    CommandReply::Connect {
        client: welcome.connection.to_string(),
        version: VERSION,
        ttl: welcome.ttl.map(seconds),
        ping: welcome.ping.map(seconds),
    }
}

/// Returns at least one second: zero would mean "none", and centrifuge-python has no default for it.
fn seconds(duration: std::time::Duration) -> u32 {
    u32::try_from(duration.as_secs()).unwrap_or(u32::MAX).max(1)
}

fn presence_entry(tag: &Tag<'_>, visible: &VisibleConnection) -> PresenceEntry {
    PresenceEntry {
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

/// Returns the close frame. Clients do not reconnect after codes from 3500 on and after 1009. They reconnect after lower
/// codes.
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
