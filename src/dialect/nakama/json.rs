//! Nakama's envelope as proto3 JSON in text frames.
//!
//! Read: snake_case and lowerCamelCase, `null` as absent, unknown fields ignored, `[]` for an empty message (Defold's
//! encoder writes it). Written: compact, in the order of the proto's fields, with lists also where they are empty
//! (Nakama omits them, which trips its own documentation's sample and the Godot SDK).

use bytestring::ByteString;
use serde::Serialize;
use serde::ser::SerializeMap;

use super::message::{self, Answer, Error, ErrorCode, Event, Meaning, Shown};
use crate::outbox::{Codec, Encoding, Frame, Frames, RequestTag};
use crate::presence::diff::{Diff, Snapshot};
use crate::session::command::Reply;
use crate::session::protocol::{CloseCause, Closing, Decoded, Incoming, Protocol};

mod envelope;

/// The protocol in JSON.
pub(super) struct Json;

impl Protocol for Json {
    fn decode(&self, incoming: Incoming<'_>) -> Decoded {
        let meaning = match incoming {
            Incoming::Text(text) => envelope::read(text),
            Incoming::Binary(_) => message::wrong_frame(),
        };
        match meaning {
            Meaning::Request(request) => Decoded::Request(request),
            Meaning::Refused(tag, error) => Decoded::Refused(answer(&tag, &Answer::Error(error))),
            Meaning::Fatal(tag, error, closing) => Decoded::Fatal(answer(&tag, &Answer::Error(error)), closing),
        }
    }

    fn reply(&self, tag: &RequestTag, reply: &Reply) -> Frames {
        answer(tag, &Answer::of(reply))
    }

    fn closing(&self, cause: CloseCause) -> Closing {
        message::closing(cause)
    }

    fn as_codec(&'static self) -> &'static dyn Codec {
        self
    }
}

impl Codec for Json {
    fn encoding(&self) -> Encoding {
        Encoding::NakamaJson
    }

    fn diff(&self, diff: &Diff) -> Frames {
        message::events(diff, size).iter().map(event).collect()
    }

    fn followed(&self, tag: &RequestTag, snapshots: &[Snapshot]) -> Frames {
        let (presences, rest) = message::reply(tag, snapshots, size);
        let status = Outgoing { tag: tag.clone(), name: "status", body: Status { presences } };
        std::iter::once(frame(&status)).chain(rest.iter().map(event)).collect()
    }
}

fn answer(tag: &RequestTag, answer: &Answer) -> Frames {
    let tag = tag.clone();
    vec![match answer {
        Answer::Acknowledged => frame(&Acknowledgement { tag }),
        Answer::Pong => frame(&Outgoing { tag, name: "pong", body: Empty {} }),
        Answer::Error(error) => frame(&Outgoing { tag, name: "error", body: ErrorBody::from(error) }),
    }]
}

fn event(event: &Event<'_>) -> Frame {
    frame(&Outgoing { tag: RequestTag(None), name: "status_presence_event", body: event })
}

fn frame(envelope: &impl Serialize) -> Frame {
    let text = serde_json::to_string(envelope).expect("these types always serialize");
    Frame::Text(ByteString::from(text))
}

/// A presence's length in JSON, with its comma.
fn size(shown: Shown<'_>) -> usize {
    let name = shown.presence.username.as_ref().map_or(0, |name| escaped_len(name.as_str()));
    // Field names, quotes and the two UUIDs take 133 bytes.
    144 + name + escaped_len(shown.presence.status.as_str())
}

fn escaped_len(text: &str) -> usize {
    text.bytes()
        .map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
            0..=0x1f => 6,
            _ => 1,
        })
        .sum()
}

/// An envelope with a message: `{"cid":…,"name":{…}}`.
struct Outgoing<T> {
    tag: RequestTag,
    name: &'static str,
    body: T,
}

impl<T: Serialize> Serialize for Outgoing<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(cid) = &self.tag.0 {
            map.serialize_entry("cid", &**cid)?;
        }
        map.serialize_entry(self.name, &self.body)?;
        map.end()
    }
}

/// An envelope without a message: `{"cid":…}`.
struct Acknowledgement {
    tag: RequestTag,
}

impl Serialize for Acknowledgement {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(cid) = &self.tag.0 {
            map.serialize_entry("cid", &**cid)?;
        }
        map.end()
    }
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct ErrorBody<'a> {
    /// Zero is omitted, as proto3 JSON does.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
    message: &'a str,
}

impl<'a> From<&'a Error> for ErrorBody<'a> {
    fn from(error: &'a Error) -> Self {
        let code = (error.code != ErrorCode::RuntimeException).then_some(error.code as u8);
        Self { code, message: &error.message }
    }
}

#[derive(Serialize)]
struct Status<'a> {
    presences: Vec<Shown<'a>>,
}

impl Serialize for Event<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("joins", &self.joins)?;
        map.serialize_entry("leaves", &self.leaves)?;
        map.end()
    }
}

/// `rtapi.UserPresence`; `persistence` is false for a status and so never written.
impl Serialize for Shown<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("user_id", &self.user.uuid())?;
        map.serialize_entry("session_id", &self.presence.connection.uuid())?;
        if let Some(username) = &self.presence.username {
            map.serialize_entry("username", username.as_str())?;
        }
        map.serialize_entry("status", self.presence.status.as_str())?;
        map.end()
    }
}
