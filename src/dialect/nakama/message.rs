//! The meaning of an envelope, whatever its format: which command it is, which error it deserves, how a close is said.
//!
//! Codes and texts are those of Nakama 3.40 (its `rtapi.Error.Code` and `server/pipeline_status.go`), so that what is
//! written for it works here. Where Nakama closes without a word, the error is sent first.

use super::scope::Scope;
use crate::outbox::RequestTag;
use crate::presence::diff::{Diff, Presence, Snapshot};
use crate::presence::id::{UserId, Username};
use crate::presence::status::StatusText;
use crate::session::command::{Command, Refusal, Reply, TaggedCommand};
use crate::session::protocol::{CloseFrame, CloseReason};

/// The largest frame sent, in bytes: Godot's socket gives up a little above (1009 at 63 KB).
pub(super) const FRAME_LIMIT: usize = 60 * 1024;

const MALFORMED: CloseFrame = CloseFrame::new(1000, "received malformed payload");
const WRONG_FRAME: CloseFrame = CloseFrame::new(1000, "received unexpected WebSocket message type");
const UNPROCESSABLE: CloseFrame = CloseFrame::new(1000, "error processing message");

/// Codes of `rtapi.Error`.
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

/// What a client put into an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    Ping,
    Pong,
    StatusUpdate(Option<String>),
    StatusFollow { user_ids: Vec<String>, usernames: Vec<String> },
    StatusUnfollow { user_ids: Vec<String> },
    OutOfScope(Scope),
}

/// What an envelope turns out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Command(TaggedCommand),
    Refused(RequestTag, Error),
    Fatal(RequestTag, Error, CloseFrame),
}

/// Reads an envelope; none in it is an envelope without a message.
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
    // A text that can be nobody's username is like an unknown one: passed over.
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

/// What cannot be read at all.
pub(super) fn malformed(tag: RequestTag, why: &str) -> Meaning {
    Meaning::Fatal(tag, Error::new(ErrorCode::BadInput, format!("Malformed payload: {why}")), MALFORMED)
}

/// A text frame on a protobuf socket, or a binary one on a JSON socket.
pub(super) fn wrong_frame() -> Meaning {
    let error = Error::new(ErrorCode::BadInput, "Unexpected WebSocket message type for the socket's format");
    Meaning::Fatal(RequestTag(None), error, WRONG_FRAME)
}

/// The error that a refusal is.
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

/// How Nakama closes: always 1000 with a reason, but for a message too large.
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

/// What a reply of the session says.
pub(super) enum Answer {
    Pong,
    Acknowledged,
    Error(Error),
}

impl Answer {
    pub(super) fn of(reply: &Reply) -> Self {
        match reply {
            Reply::Pong => Self::Pong,
            // Who is at the other end is known before the socket opens, and connections are not asked for: the others
            // do not come about.
            Reply::Done | Reply::Connected(_) | Reply::Refreshed { .. } | Reply::Connections(_) | Reply::Member(_) => {
                Self::Acknowledged
            }
            Reply::Refused(refused) => Self::Error(refusal(refused)),
        }
    }
}

/// A user's presence on the wire.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'a> {
    pub user: UserId,
    pub presence: &'a Presence,
}

/// One event: what joined, what left.
#[derive(Debug, Default)]
pub(super) struct Event<'a> {
    pub joins: Vec<Shown<'a>>,
    pub leaves: Vec<Shown<'a>>,
}

/// A diff as events that fit into a frame each. `size` measures a presence in the format, in bytes.
pub(super) fn events<'a>(diff: &'a Diff, size: impl Fn(Shown<'a>) -> usize) -> Vec<Event<'a>> {
    let shown = |presence| Shown { user: diff.user, presence };
    let mut events = Packer::new(0);
    for leave in &diff.leaves {
        // An update is one event: the join goes with its leave.
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

/// The presences of a follow reply: what fits into its frame first, then events of joins for the rest.
pub(super) fn reply<'a>(
    tag: &RequestTag,
    snapshots: &'a [Snapshot],
    size: impl Fn(Shown<'a>) -> usize,
) -> (Vec<Shown<'a>>, Vec<Event<'a>>) {
    // The cid may take six times its length when it is escaped.
    let mut events = Packer::new(tag.0.as_ref().map_or(0, |cid| cid.len() * 6));
    for snapshot in snapshots {
        for presence in &snapshot.presences {
            let shown = Shown { user: snapshot.user, presence };
            events.with_room_for(size(shown)).joins.push(shown);
        }
    }
    let mut events = events.events.into_iter();
    let first = events.next().map_or_else(Vec::new, |event| event.joins);
    (first, events.collect())
}

/// Fills events up to the frame limit.
struct Packer<'a> {
    events: Vec<Event<'a>>,
    /// Bytes left in the last event.
    room: usize,
}

/// What an envelope takes around its presences, at most.
const ENVELOPE_BYTES: usize = 128;

impl<'a> Packer<'a> {
    /// `taken` bytes of the first event are used otherwise.
    fn new(taken: usize) -> Self {
        let room = (FRAME_LIMIT - ENVELOPE_BYTES).saturating_sub(taken);
        Self { events: vec![Event::default()], room }
    }

    fn with_room_for(&mut self, bytes: usize) -> &mut Event<'a> {
        let last = self.events.last().expect("there is always one");
        let is_empty = last.joins.is_empty() && last.leaves.is_empty();
        if bytes > self.room && !is_empty {
            self.events.push(Event::default());
            self.room = FRAME_LIMIT - ENVELOPE_BYTES;
        }
        self.room = self.room.saturating_sub(bytes);
        self.events.last_mut().expect("there is always one")
    }
}
