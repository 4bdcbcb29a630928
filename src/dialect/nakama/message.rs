//! The meaning of an envelope in either format: its command or its error, and the close frames.
//!
//! Codes and texts are those of Nakama 3.40 (`rtapi.Error.Code` and `server/pipeline_status.go`), so that its clients work
//! here. Where Nakama closes without an error, this server sends the error first.

use super::scope::Scope;
use crate::outbox::RequestTag;
use crate::presence::diff::{Diff, Presence, Snapshot};
use crate::presence::id::{UserId, Username};
use crate::presence::status::StatusText;
use crate::session::command::{Command, Refusal, Reply, TaggedCommand};
use crate::session::protocol::{CloseFrame, CloseReason};

/// Maximum size of a sent frame in bytes. Godot's socket fails a little above (1009 at 63 KB).
pub(super) const FRAME_LIMIT: usize = 60 * 1024;

const MALFORMED: CloseFrame = CloseFrame::new(1000, "received malformed payload");
const WRONG_FRAME: CloseFrame = CloseFrame::new(1000, "received unexpected WebSocket message type");
const UNPROCESSABLE: CloseFrame = CloseFrame::new(1000, "error processing message");

/// The codes of `rtapi.Error`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ErrorCode {
    RuntimeException = 0,
    UnrecognizedPayload = 1,
    MissingPayload = 2,
    BadInput = 3,
}

/// An `error` message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Error {
    pub code: ErrorCode,
    pub message: String,
}

impl Error {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// The message that a client put into an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    Ping,
    Pong,
    StatusUpdate(Option<String>),
    StatusFollow { user_ids: Vec<String>, usernames: Vec<String> },
    StatusUnfollow { user_ids: Vec<String> },
    OutOfScope(Scope),
}

/// The result of decoding an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Command(TaggedCommand),
    Refused(RequestTag, Error),
    Fatal(RequestTag, Error, CloseFrame),
}

/// Interprets an envelope. `None` is an envelope without a message.
pub(super) fn interpret(tag: RequestTag, body: Option<Body>) -> Meaning {
    let command = match body {
        None => return unprocessable(tag, ErrorCode::MissingPayload, "Missing message."),
        Some(Body::OutOfScope(Scope::ServerOnly)) => {
            return unprocessable(tag, ErrorCode::UnrecognizedPayload, "Unrecognized message.");
        }
        Some(Body::OutOfScope(Scope::NotServed(name))) => {
            Err(Error::new(ErrorCode::UnrecognizedPayload, format!("{name} is not served here: presence only")))
        }
        Some(Body::Ping) => Ok(Command::Ping),
        Some(Body::Pong) => Ok(Command::Nothing),
        Some(Body::StatusUpdate(status)) => set_status(status),
        Some(Body::StatusFollow { user_ids, usernames }) => follow(&user_ids, &usernames),
        Some(Body::StatusUnfollow { user_ids }) => parse_users(&user_ids).map(Command::Unfollow),
    };
    match command {
        Ok(command) => Meaning::Command(TaggedCommand { tag, command }),
        Err(error) => Meaning::Refused(tag, error),
    }
}

fn set_status(status: Option<String>) -> Result<Command, Error> {
    let status = status.map(|text| StatusText::new(&text)).transpose();
    let status = status.map_err(|_| Error::new(ErrorCode::BadInput, "Status must be 2048 characters or less"))?;
    Ok(Command::SetStatus(status))
}

fn follow(user_ids: &[String], usernames: &[String]) -> Result<Command, Error> {
    let users = parse_users(user_ids)?;
    if usernames.iter().any(String::is_empty) {
        return Err(Error::new(ErrorCode::BadInput, "Invalid username"));
    }
    // A text that cannot be a username is skipped, like an unknown username.
    let usernames = usernames.iter().filter_map(|name| Username::new(name).ok()).collect();
    Ok(Command::Follow { users, usernames })
}

fn parse_users(ids: &[String]) -> Result<Vec<UserId>, Error> {
    let users: Option<Vec<UserId>> = ids.iter().map(|id| UserId::parse(id)).collect();
    users.ok_or_else(|| Error::new(ErrorCode::BadInput, "Invalid user identifier"))
}

fn unprocessable(tag: RequestTag, code: ErrorCode, message: &str) -> Meaning {
    Meaning::Fatal(tag, Error::new(code, message), UNPROCESSABLE)
}

/// Returns the error for an envelope that cannot be decoded.
pub(super) fn malformed(tag: RequestTag, why: &str) -> Meaning {
    Meaning::Fatal(tag, Error::new(ErrorCode::BadInput, format!("Malformed payload: {why}")), MALFORMED)
}

/// Returns the error for a text frame on a protobuf socket, or a binary frame on a JSON socket.
pub(super) fn wrong_frame() -> Meaning {
    let error = Error::new(ErrorCode::BadInput, "Unexpected WebSocket message type for the socket's format");
    Meaning::Fatal(RequestTag(None), error, WRONG_FRAME)
}

/// Converts a refusal to its error.
pub(super) fn refusal(refusal: &Refusal) -> Error {
    match refusal {
        Refusal::TooManyFollows(quota) => Error::new(
            ErrorCode::BadInput,
            format!("Follow limit of {} reached: {} followed, {} more asked for", quota.limit, quota.held, quota.asked),
        ),
        Refusal::RateLimited { limit, retry_after } => Error::new(
            ErrorCode::BadInput,
            format!("Limit of {limit} commands reached, try again in {} ms", retry_after.as_millis()),
        ),
        Refusal::AlreadyFollowed => Error::new(ErrorCode::BadInput, "Already followed"),
        Refusal::TokenExpired => Error::new(ErrorCode::BadInput, "Token expired"),
        Refusal::NotPermitted => Error::new(ErrorCode::BadInput, "Not permitted"),
        Refusal::StateNotAllowed => Error::new(ErrorCode::BadInput, "Status not allowed"),
        Refusal::Disabled => Error::new(ErrorCode::RuntimeException, "Not available"),
        Refusal::Busy => Error::new(ErrorCode::RuntimeException, "Server busy, try again"),
    }
}

/// Returns Nakama's close frame: always 1000 with a reason, except for a message that is too large.
pub(super) fn close_frame(cause: CloseReason) -> CloseFrame {
    match cause {
        CloseReason::Drain => CloseFrame::new(1000, "server shutting down"),
        CloseReason::Disconnected => CloseFrame::new(1000, "server-side session disconnect"),
        CloseReason::PingTimeout => CloseFrame::new(1000, "no pong received in time"),
        CloseReason::MessageTooLarge => CloseFrame::new(1009, ""),
        CloseReason::ProtocolError => CloseFrame::new(1002, "protocol error"),
        CloseReason::InvalidUtf8 | CloseReason::BadRequest => MALFORMED,
        CloseReason::HandshakeTimeout
        | CloseReason::InvalidToken
        | CloseReason::TokenExpired
        | CloseReason::NotPermitted => CloseFrame::new(1000, "invalid token"),
        CloseReason::TooManyConnections => CloseFrame::new(1000, "too many connections"),
        CloseReason::LoggedOut => CloseFrame::new(1000, "logged out"),
        CloseReason::Busy => CloseFrame::new(1000, "server busy"),
    }
}

/// The reply to one request.
pub(super) enum EnvelopeReply {
    Pong,
    Acknowledged,
    Error(Error),
}

impl EnvelopeReply {
    pub(super) fn of(reply: &Reply) -> Self {
        match reply {
            Reply::Pong => Self::Pong,
            // The other replies never occur here: the user is known before the socket opens, and clients cannot ask for
            // connections.
            Reply::Done | Reply::Connected(_) | Reply::Refreshed { .. } | Reply::Connections(_) | Reply::Member(_) => {
                Self::Acknowledged
            }
            Reply::Refused(refused) => Self::Error(refusal(refused)),
        }
    }
}

/// A presence with its user, as the wire has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct WirePresence<'a> {
    pub user: UserId,
    pub presence: &'a Presence,
}

/// One `status_presence_event`.
#[derive(Debug, Default)]
pub(super) struct PresenceEvent<'a> {
    pub joins: Vec<WirePresence<'a>>,
    pub leaves: Vec<WirePresence<'a>>,
}

/// Splits a diff into events that each fit into a frame. `size` returns the encoded size of a presence in bytes.
pub(super) fn events<'a>(diff: &'a Diff, size: impl Fn(WirePresence<'a>) -> usize) -> Vec<PresenceEvent<'a>> {
    let shown = |presence| WirePresence { user: diff.user, presence };
    let mut events = Packer::new(0);
    for leave in &diff.leaves {
        // An update is one event: its join and its leave stay together.
        let join = diff.joins.iter().find(|join| join.connection == leave.connection).map(shown);
        let leave = shown(leave);
        let event = events.with_room_for(size(leave) + join.map_or(0, &size));
        event.leaves.push(leave);
        event.joins.extend(join);
    }
    for join in &diff.joins {
        if !diff.leaves.iter().any(|leave| leave.connection == join.connection) {
            let join = shown(join);
            events.with_room_for(size(join)).joins.push(join);
        }
    }
    events.events
}

/// Splits the presences of a follow reply: those that fit into its frame, then events with joins for the rest.
pub(super) fn reply<'a>(
    tag: &RequestTag,
    snapshots: &'a [Snapshot],
    size: impl Fn(WirePresence<'a>) -> usize,
) -> (Vec<WirePresence<'a>>, Vec<PresenceEvent<'a>>) {
    // An escaped cid can be six times as long.
    let mut events = Packer::new(tag.0.as_ref().map_or(0, |cid| cid.len() * 6));
    for snapshot in snapshots {
        for presence in &snapshot.presences {
            let shown = WirePresence { user: snapshot.user, presence };
            events.with_room_for(size(shown)).joins.push(shown);
        }
    }
    let mut events = events.events.into_iter();
    let first = events.next().map_or_else(Vec::new, |event| event.joins);
    (first, events.collect())
}

/// Packs presences into events up to the frame limit.
struct Packer<'a> {
    events: Vec<PresenceEvent<'a>>,
    /// Bytes that are free in the last event.
    room: usize,
}

/// Maximum number of bytes of an envelope around its presences.
const ENVELOPE_BYTES: usize = 128;

impl<'a> Packer<'a> {
    /// Creates a packer with `taken` bytes already used in its first event.
    fn new(taken: usize) -> Self {
        let room = (FRAME_LIMIT - ENVELOPE_BYTES).saturating_sub(taken);
        Self { events: vec![PresenceEvent::default()], room }
    }

    fn with_room_for(&mut self, bytes: usize) -> &mut PresenceEvent<'a> {
        let last = self.events.last().expect("there is always one");
        let is_empty = last.joins.is_empty() && last.leaves.is_empty();
        if bytes > self.room && !is_empty {
            self.events.push(PresenceEvent::default());
            self.room = FRAME_LIMIT - ENVELOPE_BYTES;
        }
        self.room = self.room.saturating_sub(bytes);
        self.events.last_mut().expect("there is always one")
    }
}
