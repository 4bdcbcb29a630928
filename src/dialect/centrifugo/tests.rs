//! Recorded frames of unmodified clients decode, and replies are encoded exactly as those clients expect them.

use std::time::Duration;

use uuid::Uuid;

use super::code::Code;
use super::message::PresenceEntry;
use super::*;
use crate::outbox::VisibleConnection;
use crate::presence::diff::Presence;
use crate::presence::id::{ConnectionId, UserId};
use crate::presence::last_seen::LastSeen;
use crate::presence::quota::QuotaExceeded;
use crate::presence::status::{StatusText, Version};
use crate::presence::time::Timestamp;
use crate::session::command::{Command, Refusal, TaggedCommand, Welcome};

mod json;
mod malformed;
mod protobuf;

const CLIENT: &str = "23a90b60-e541-11f1-bba8-40b3eab63f3f";

fn connection() -> ConnectionId {
    ConnectionId::from_uuid(Uuid::parse_str(CLIENT).unwrap())
}

fn text(status: &str) -> StatusText {
    StatusText::new(status).unwrap()
}

/// Returns the commands of a message. Panics if it contains anything else.
fn commands(decoded: Decoded) -> Vec<Command> {
    match decoded {
        Decoded::Command(TaggedCommand { command, .. }) => vec![command],
        Decoded::Batch(batch) => batch.into_iter().flat_map(commands).collect(),
        other => panic!("no command: {other:?}"),
    }
}

fn connect(token: &str) -> Command {
    Command::Connect { token: token.into() }
}

fn subscribe(user: &str) -> Command {
    Command::Subscribe { user: UserId::from_name(user), alias: ClientAlias(format!("status:{user}").into()) }
}

fn unfollow(users: &[&str]) -> Command {
    Command::Unfollow(users.iter().map(|user| UserId::from_name(user)).collect())
}

fn shows(user: &str) -> Command {
    Command::ListConnections(UserId::from_name(user))
}

fn snapshot(statuses: &[&str]) -> Snapshot {
    let shown = |status: &&str| Presence { connection: connection(), username: None, status: text(status) };
    Snapshot {
        user: UserId::from_name("42"),
        version: Version::default(),
        presences: statuses.iter().map(shown).collect(),
        last_seen: LastSeen { active: Timestamp::from_micros(1_627_107_289_900_000), ..LastSeen::default() },
        own: crate::presence::diff::OwnStatus::default(),
    }
}

/// Returns the tag of the only request in a message.
fn tag(decoded: Decoded) -> RequestTag {
    match decoded {
        Decoded::Command(request) => request.tag,
        other => panic!("no request: {other:?}"),
    }
}

/// Returns every reply of the session to a request with this id, with its name.
fn replies() -> Vec<(&'static str, Reply)> {
    let refused = |refusal| ("error", Reply::Refused(refusal));
    vec![
        refused(Refusal::Busy),
        refused(Refusal::NotPermitted),
        refused(Refusal::AlreadyFollowed),
        refused(Refusal::TooManyFollows(QuotaExceeded { limit: 128, held: 128, asked: 1 })),
        refused(Refusal::StateNotAllowed),
        refused(Refusal::Disabled),
        refused(Refusal::TokenExpired),
        refused(Refusal::RateLimited { limit: 1, retry_after: Duration::from_secs(1) }),
    ]
}

#[test]
fn close_frames_have_reasons_and_codes_that_say_whether_to_reconnect() {
    let cases = [
        (CloseReason::Drain, 3001, "shutdown"),
        (CloseReason::Busy, 3004, "internal server error"),
        (CloseReason::TokenExpired, 3005, "connection expired"),
        (CloseReason::PingTimeout, 3012, "no pong"),
        (CloseReason::InvalidToken, 3500, "invalid token"),
        (CloseReason::BadRequest, 3501, "bad request"),
        (CloseReason::ProtocolError, 3501, "bad request"),
        (CloseReason::InvalidUtf8, 3501, "bad request"),
        (CloseReason::HandshakeTimeout, 3502, "stale"),
        (CloseReason::Disconnected, 3503, "force disconnect"),
        (CloseReason::TooManyConnections, 3504, "connection limit"),
        (CloseReason::NotPermitted, 3507, "permission denied"),
        (CloseReason::MessageTooLarge, 1009, "message too large"),
    ];
    for (cause, code, reason) in cases {
        assert_eq!(Format::Json.protocol().close_frame(cause), CloseFrame::new(code, reason));
        assert_eq!(Format::Protobuf.protocol().close_frame(cause), CloseFrame::new(code, reason));
        assert!(serde_json::from_str::<serde_json::Value>(reason).is_err(), "{reason} would be taken for JSON");
    }
}

#[test]
fn the_subprotocol_selects_the_format() {
    assert_eq!(Format::of_subprotocol("centrifuge-json"), Some(("centrifuge-json", Format::Json)));
    assert_eq!(Format::of_subprotocol("centrifuge-protobuf"), Some(("centrifuge-protobuf", Format::Protobuf)));
    assert_eq!(Format::of_subprotocol("chat"), None);
}
