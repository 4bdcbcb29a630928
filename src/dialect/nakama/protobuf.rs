//! Nakama's envelope as protobuf in binary frames (`rtapi/realtime.proto`, package `nakama.realtime`).

use bytestring::ByteString;
use prost::Message;

use super::Wire;
use super::message::{self, Answer, Body, Event, Meaning, Shown};
use super::scope::Scope;
use crate::outbox::{Encoding, Frame, RequestTag};
use crate::session::protocol::Incoming;

mod wire;

use wire::envelope::Message as Oneof;

/// The protocol in protobuf.
pub(super) struct Protobuf;

impl Wire for Protobuf {
    const ENCODING: Encoding = Encoding::NakamaProtobuf;

    fn read(incoming: Incoming<'_>) -> Meaning {
        match incoming {
            Incoming::Binary(bytes) => read(bytes),
            Incoming::Text(_) => message::wrong_frame(),
        }
    }

    fn answer(tag: &RequestTag, answer: Answer) -> Frame {
        match answer {
            Answer::Acknowledged => frame(tag, None),
            Answer::Pong => frame(tag, Some(Oneof::Pong(wire::Empty {}))),
            Answer::Error(error) => {
                let body = wire::Error { code: error.code as i32, message: error.message };
                frame(tag, Some(Oneof::Error(body)))
            }
        }
    }

    fn status(tag: &RequestTag, presences: &[Shown<'_>]) -> Frame {
        let body = wire::Status { presences: presences.iter().copied().map(presence).collect() };
        frame(tag, Some(Oneof::Status(body)))
    }

    fn event(event: &Event<'_>) -> Frame {
        let body = wire::StatusPresenceEvent {
            joins: event.joins.iter().copied().map(presence).collect(),
            leaves: event.leaves.iter().copied().map(presence).collect(),
        };
        frame(&RequestTag(None), Some(Oneof::StatusPresenceEvent(body)))
    }

    fn size(shown: Shown<'_>) -> usize {
        size(shown)
    }
}

fn read(bytes: &[u8]) -> Meaning {
    let envelope = match wire::Envelope::decode(bytes) {
        Ok(envelope) => envelope,
        Err(error) => return message::malformed(RequestTag(None), &error.to_string()),
    };
    let tag = RequestTag((!envelope.cid.is_empty()).then(|| ByteString::from(envelope.cid)));
    let body = match envelope.message {
        Some(Oneof::Ping(wire::Empty {})) => Some(Body::Ping),
        Some(Oneof::Pong(wire::Empty {})) => Some(Body::Pong),
        Some(Oneof::StatusUpdate(update)) => Some(Body::StatusUpdate(update.status)),
        Some(Oneof::StatusFollow(follow)) => {
            Some(Body::StatusFollow { user_ids: follow.user_ids, usernames: follow.usernames })
        }
        Some(Oneof::StatusUnfollow(unfollow)) => Some(Body::StatusUnfollow { user_ids: unfollow.user_ids }),
        Some(Oneof::Error(_) | Oneof::Status(_) | Oneof::StatusPresenceEvent(_)) => {
            Some(Body::OutOfScope(Scope::ServerOnly))
        }
        None => wire::numbers(bytes).filter_map(Scope::of_number).last().map(Body::OutOfScope),
    };
    message::interpret(tag, body)
}

fn presence(shown: Shown<'_>) -> wire::UserPresence {
    let Shown { user, presence } = shown;
    wire::UserPresence {
        user_id: user.to_string(),
        session_id: presence.connection.to_string(),
        username: presence.username.as_ref().map_or_else(String::new, ToString::to_string),
        persistence: false,
        status: Some(presence.status.as_str().to_owned()),
    }
}

fn frame(tag: &RequestTag, message: Option<Oneof>) -> Frame {
    let cid = tag.0.as_ref().map_or_else(String::new, ToString::to_string);
    Frame::binary(&wire::Envelope { cid, message }.encode_to_vec())
}

/// A presence's length in protobuf, at most.
fn size(shown: Shown<'_>) -> usize {
    let name = shown.presence.username.as_ref().map_or(0, |name| name.as_str().len());
    // Two UUIDs, tags and lengths.
    96 + name + shown.presence.status.as_str().len()
}
