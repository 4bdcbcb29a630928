//! Recorded frames of Nakama 3.40 decode and encode; every row of its malformed-input table gets an error and a close.

use uuid::Uuid;

use super::*;
use crate::outbox::{Frame, Frames, RequestTag};
use crate::presence::diff::{Diff, Presence, Snapshot};
use crate::presence::id::{ConnectionId, UserId, Username};
use crate::presence::last_seen::LastSeen;
use crate::presence::quota::QuotaExceeded;
use crate::presence::status::{StatusText, Version};
use crate::session::command::{Command, Refusal, Reply, TaggedCommand};
use crate::session::protocol::{CloseReason, Decoded, Incoming, Protocol};

mod json;
mod protobuf;

const ALICE: &str = "f13ead91-7889-4f81-afd8-ab814be9a6d0";
const BOB: &str = "2e088536-86c5-4c0f-b088-f2b5a7764c6f";
const SESSION: &str = "23a90b60-e541-11f1-bba8-40b3eab63f3f";

fn tag(cid: &str) -> RequestTag {
    RequestTag(Some(cid.into()))
}

fn user(id: &str) -> UserId {
    UserId::parse(id).unwrap()
}

fn presence(session: &str, username: &str, status: &str) -> Presence {
    Presence {
        connection: ConnectionId::from_uuid(Uuid::parse_str(session).unwrap()),
        username: Some(Username::new(username).unwrap()),
        status: StatusText::new(status).unwrap(),
    }
}

fn bob_diff(before: Option<&str>, after: Option<&str>) -> Diff {
    let shown =
        |status: Option<&str>| status.map(|status| presence(SESSION, "bob_9qi9xb7d", status)).into_iter().collect();
    Diff { user: user(BOB), version: Version::default(), joins: shown(after), leaves: shown(before) }
}

fn snapshot(id: &str, presences: Vec<Presence>) -> Snapshot {
    Snapshot {
        user: user(id),
        version: Version::default(),
        presences,
        last_seen: LastSeen::default(),
        own: crate::presence::diff::OwnStatus::default(),
    }
}

fn request(cid: Option<&str>, command: Command) -> Decoded {
    Decoded::Command(TaggedCommand { tag: RequestTag(cid.map(Into::into)), command })
}

fn follow(ids: &[&str], names: &[&str]) -> Command {
    Command::Follow {
        users: ids.iter().map(|id| user(id)).collect(),
        usernames: names.iter().map(|name| Username::new(name).unwrap()).collect(),
    }
}

fn status(text: &str) -> Command {
    Command::SetStatus(Some(StatusText::new(text).unwrap()))
}

fn closing(decoded: Decoded) -> (Frames, u16, String) {
    match decoded {
        Decoded::Fatal(frames, closing) => (frames, closing.code, closing.reason.into_owned()),
        other => panic!("not fatal: {other:?}"),
    }
}

/// Statuses that fill several frames.
fn crowd(count: u32, status: &str) -> Vec<Snapshot> {
    (0..count)
        .map(|number| Snapshot {
            user: UserId::from_uuid(Uuid::from_u128(u128::from(number))),
            version: Version::default(),
            presences: vec![presence(SESSION, "somebody", status)],
            last_seen: LastSeen::default(),
            own: crate::presence::diff::OwnStatus::default(),
        })
        .collect()
}

#[test]
fn json_is_the_default_format() {
    assert_eq!(Format::parse(""), Some(Format::Json));
    assert_eq!(Format::parse("json"), Some(Format::Json));
    assert_eq!(Format::parse("protobuf"), Some(Format::Protobuf));
    assert_eq!(Format::parse("JSON"), None);
}
