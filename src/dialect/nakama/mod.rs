//! Nakama's realtime protocol for status (`rtapi/realtime.proto` of nakama-common).
//!
//! * [`message`]: what both formats share: the meaning of an envelope, errors, close frames;
//! * [`json`]: text frames in proto3 JSON;
//! * [`protobuf`]: binary frames;
//! * [`scope`]: the messages that are not served.

mod json;
mod message;
mod protobuf;
mod scope;
#[cfg(test)]
mod tests;

use std::marker::PhantomData;

use crate::outbox::{Codec, Encoding, Frame, Frames, RequestTag};
use crate::presence::diff::{Diff, Snapshot};
use crate::session::command::Reply;
use crate::session::protocol::{CloseFrame, CloseReason, Decoded, Incoming, Protocol};
use message::{EnvelopeReply, Meaning, PresenceEvent, WirePresence};

/// The format of a connection: the query parameter `format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON in text frames.
    Json,
    /// Protobuf in binary frames.
    Protobuf,
}

impl Format {
    /// Parses the parameter. Absent or empty means JSON.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "json" => Some(Self::Json),
            "protobuf" => Some(Self::Protobuf),
            _ => None,
        }
    }

    /// Returns the protocol of this format.
    pub fn protocol(self) -> &'static dyn Protocol {
        match self {
            Self::Json => &Nakama::<json::Json>(PhantomData),
            Self::Protobuf => &Nakama::<protobuf::Protobuf>(PhantomData),
        }
    }
}

/// A wire format of the envelope.
trait Wire: Send + Sync + 'static {
    const ENCODING: Encoding;

    /// Decodes an envelope.
    fn read(incoming: Incoming<'_>) -> Meaning;

    /// Encodes the reply to a request.
    fn reply(tag: &RequestTag, reply: EnvelopeReply) -> Frame;

    /// Encodes the reply to a follow.
    fn status(tag: &RequestTag, presences: &[WirePresence<'_>]) -> Frame;

    /// Encodes a `status_presence_event`.
    fn event(event: &PresenceEvent<'_>) -> Frame;

    /// Returns the maximum encoded size of a presence in bytes.
    fn size(shown: WirePresence<'_>) -> usize;
}

/// The protocol in the wire format `W`.
struct Nakama<W>(PhantomData<W>);

impl<W: Wire> Protocol for Nakama<W> {
    fn decode(&self, incoming: Incoming<'_>) -> Decoded {
        let error = |tag, error| vec![W::reply(tag, EnvelopeReply::Error(error))];
        match W::read(incoming) {
            Meaning::Command(request) => Decoded::Command(request),
            Meaning::Refused(tag, refusal) => Decoded::Refused(error(&tag, refusal)),
            Meaning::Fatal(tag, refusal, closing) => Decoded::Fatal(error(&tag, refusal), closing),
        }
    }

    fn reply(&self, tag: &RequestTag, reply: &Reply) -> Frames {
        vec![W::reply(tag, EnvelopeReply::of(reply))]
    }

    fn close_frame(&self, cause: CloseReason) -> CloseFrame {
        message::close_frame(cause)
    }

    fn as_codec(&'static self) -> &'static dyn Codec {
        self
    }
}

impl<W: Wire> Codec for Nakama<W> {
    fn encoding(&self) -> Encoding {
        W::ENCODING
    }

    fn diff(&self, diff: &Diff) -> Frames {
        message::events(diff, W::size).iter().map(W::event).collect()
    }

    fn follow_reply(&self, tag: &RequestTag, snapshots: &[Snapshot]) -> Frames {
        let (presences, rest) = message::reply(tag, snapshots, W::size);
        std::iter::once(W::status(tag, &presences)).chain(rest.iter().map(W::event)).collect()
    }
}
