//! Nakama's envelope as protobuf in binary frames (`rtapi/realtime.proto`, package `nakama.realtime`).

use actix_web::web::Bytes;
use bytestring::ByteString;
use prost::Message;

use super::message::{self, Answer, Body, Event, Meaning, Shown};
use super::scope::Scope;
use crate::outbox::{Codec, Encoding, Frame, Frames, RequestTag};
use crate::presence::diff::{Diff, Snapshot};
use crate::session::command::Reply;
use crate::session::protocol::{CloseCause, Closing, Decoded, Incoming, Protocol};

mod wire;

use wire::envelope::Message as Wire;

/// The protocol in protobuf.
pub(super) struct Protobuf;

impl Protocol for Protobuf {
    fn decode(&self, incoming: Incoming<'_>) -> Decoded {
        let meaning = match incoming {
            Incoming::Binary(bytes) => read(bytes),
            Incoming::Text(_) => message::wrong_frame(),
        };
        match meaning {
            Meaning::Request(request) => Decoded::Request(request),
            Meaning::Refused(tag, error) => Decoded::Refused(answer(&tag, Answer::Error(error))),
            Meaning::Fatal(tag, error, closing) => Decoded::Fatal(answer(&tag, Answer::Error(error)), closing),
        }
    }

    fn reply(&self, tag: &RequestTag, reply: &Reply) -> Frames {
        answer(tag, Answer::of(reply))
    }

    fn closing(&self, cause: CloseCause) -> Closing {
        message::closing(cause)
    }

    fn as_codec(&'static self) -> &'static dyn Codec {
        self
    }
}

impl Codec for Protobuf {
    fn encoding(&self) -> Encoding {
        Encoding::NakamaProtobuf
    }

    fn diff(&self, diff: &Diff) -> Frames {
        message::events(diff, size).iter().map(event).collect()
    }

    fn followed(&self, tag: &RequestTag, snapshots: &[Snapshot]) -> Frames {
        let (presences, rest) = message::reply(tag, snapshots, size);
        let status = wire::Status { presences: presences.into_iter().map(presence).collect() };
        std::iter::once(frame(tag, Some(Wire::Status(status)))).chain(rest.iter().map(event)).collect()
    }
}

fn read(bytes: &[u8]) -> Meaning {
    let envelope = match wire::Envelope::decode(bytes) {
        Ok(envelope) => envelope,
        Err(error) => return message::malformed(RequestTag(None), &error.to_string()),
    };
    let tag = RequestTag((!envelope.cid.is_empty()).then(|| ByteString::from(envelope.cid)));
    let body = match envelope.message {
        Some(Wire::Ping(wire::Empty {})) => Some(Body::Ping),
        Some(Wire::Pong(wire::Empty {})) => Some(Body::Pong),
        Some(Wire::StatusUpdate(update)) => Some(Body::StatusUpdate(update.status)),
        Some(Wire::StatusFollow(follow)) => {
            Some(Body::StatusFollow { user_ids: follow.user_ids, usernames: follow.usernames })
        }
        Some(Wire::StatusUnfollow(unfollow)) => Some(Body::StatusUnfollow { user_ids: unfollow.user_ids }),
        Some(Wire::Error(_) | Wire::Status(_) | Wire::StatusPresenceEvent(_)) => {
            Some(Body::OutOfScope(Scope::ServerOnly))
        }
        None => wire::numbers(bytes).filter_map(Scope::of_number).last().map(Body::OutOfScope),
    };
    message::interpret(tag, body)
}

fn answer(tag: &RequestTag, answer: Answer) -> Frames {
    vec![match answer {
        Answer::Acknowledged => frame(tag, None),
        Answer::Pong => frame(tag, Some(Wire::Pong(wire::Empty {}))),
        Answer::Error(error) => {
            let body = wire::Error { code: error.code as i32, message: error.message };
            frame(tag, Some(Wire::Error(body)))
        }
    }]
}

fn event(event: &Event<'_>) -> Frame {
    let body = wire::StatusPresenceEvent {
        joins: event.joins.iter().copied().map(presence).collect(),
        leaves: event.leaves.iter().copied().map(presence).collect(),
    };
    frame(&RequestTag(None), Some(Wire::StatusPresenceEvent(body)))
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

fn frame(tag: &RequestTag, message: Option<Wire>) -> Frame {
    let cid = tag.0.as_ref().map_or_else(String::new, ToString::to_string);
    Frame::Binary(Bytes::from(wire::Envelope { cid, message }.encode_to_vec()))
}

/// A presence's length in protobuf, at most.
fn size(shown: Shown<'_>) -> usize {
    let name = shown.presence.username.as_ref().map_or(0, |name| name.as_str().len());
    // Two UUIDs, tags and lengths.
    96 + name + shown.presence.status.as_str().len()
}
