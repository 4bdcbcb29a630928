//! Nakama's envelope as proto3 JSON in text frames.
//!
//! The decoder accepts snake_case and lowerCamelCase, treats `null` as absent, ignores unknown fields, and accepts `[]` for an
//! empty message (Defold's encoder writes it). The encoder writes compact JSON in the order of the proto's fields, with empty
//! lists too (Nakama omits them, which breaks the sample in its own documentation and the Godot SDK).

use serde::Serialize;
use serde::ser::SerializeMap;

use super::Wire;
use super::message::{self, EnvelopeReply, Error, ErrorCode, Meaning, PresenceEvent, WirePresence};
use crate::outbox::{Encoding, Frame, RequestTag};
use crate::session::protocol::Incoming;

mod envelope;

/// The protocol in JSON.
pub(super) struct Json;

impl Wire for Json {
    const ENCODING: Encoding = Encoding::NakamaJson;

    fn read(incoming: Incoming<'_>) -> Meaning {
        match incoming {
            Incoming::Text(text) => envelope::read(text),
            Incoming::Binary(_) => message::wrong_frame(),
        }
    }

    fn reply(tag: &RequestTag, reply: EnvelopeReply) -> Frame {
        match reply {
            EnvelopeReply::Acknowledged => frame(&Acknowledgement { tag }),
            EnvelopeReply::Pong => frame(&Outgoing { tag, name: "pong", body: Empty {} }),
            EnvelopeReply::Error(error) => frame(&Outgoing { tag, name: "error", body: ErrorBody::from(&error) }),
        }
    }

    fn status(tag: &RequestTag, presences: &[WirePresence<'_>]) -> Frame {
        frame(&Outgoing { tag, name: "status", body: Status { presences } })
    }

    fn event(event: &PresenceEvent<'_>) -> Frame {
        frame(&Outgoing { tag: &RequestTag(None), name: "status_presence_event", body: event })
    }

    fn size(shown: WirePresence<'_>) -> usize {
        size(shown)
    }
}

fn frame(envelope: &impl Serialize) -> Frame {
    let text = serde_json::to_string(envelope).expect("these types always serialize");
    Frame::text(&text)
}

/// Returns the encoded size of a presence in JSON, with its comma.
fn size(shown: WirePresence<'_>) -> usize {
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
struct Outgoing<'a, T> {
    tag: &'a RequestTag,
    name: &'static str,
    body: T,
}

impl<T: Serialize> Serialize for Outgoing<'_, T> {
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
struct Acknowledgement<'a> {
    tag: &'a RequestTag,
}

impl Serialize for Acknowledgement<'_> {
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
    /// Zero is omitted, as in proto3 JSON.
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
    presences: &'a [WirePresence<'a>],
}

impl Serialize for PresenceEvent<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("joins", &self.joins)?;
        map.serialize_entry("leaves", &self.leaves)?;
        map.end()
    }
}

/// `rtapi.UserPresence`. `persistence` is false for a status and therefore never written.
impl Serialize for WirePresence<'_> {
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
