//! Nakama's realtime protocol, as far as it is about status (`rtapi/realtime.proto` of nakama-common).
//!
//! * [`message`]: what the two formats have in common: the meaning of an envelope, errors, closes;
//! * [`json`]: text frames, proto3 JSON; * [`protobuf`]: binary frames; * [`scope`]: the messages that are not served.

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
use message::{Answer, Event, Meaning, Shown};

/// The `format` of the connect query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON in text frames.
    Json,
    /// Protobuf in binary frames.
    Protobuf,
}

impl Format {
    /// Reads the query's value; absent or empty is JSON.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "json" => Some(Self::Json),
            "protobuf" => Some(Self::Protobuf),
            _ => None,
        }
    }

    /// The protocol of this format.
    pub fn protocol(self) -> &'static dyn Protocol {
        match self {
            Self::Json => &Nakama::<json::Json>(PhantomData),
            Self::Protobuf => &Nakama::<protobuf::Protobuf>(PhantomData),
        }
    }
}

/// How an envelope is written down.
trait Wire: Send + Sync + 'static {
    const ENCODING: Encoding;

    /// Reads an envelope.
    fn read(incoming: Incoming<'_>) -> Meaning;

    /// The answer to a request.
    fn answer(tag: &RequestTag, answer: Answer) -> Frame;

    /// The reply to a follow.
    fn status(tag: &RequestTag, presences: &[Shown<'_>]) -> Frame;

    /// A `status_presence_event`.
    fn event(event: &Event<'_>) -> Frame;

    /// What a presence takes, in bytes, at most.
    fn size(shown: Shown<'_>) -> usize;
}

/// The protocol, written down by `W`.
struct Nakama<W>(PhantomData<W>);

impl<W: Wire> Protocol for Nakama<W> {
    fn decode(&self, incoming: Incoming<'_>) -> Decoded {
        let error = |tag, error| vec![W::answer(tag, Answer::Error(error))];
        match W::read(incoming) {
            Meaning::Command(request) => Decoded::Command(request),
            Meaning::Refused(tag, refusal) => Decoded::Refused(error(&tag, refusal)),
            Meaning::Fatal(tag, refusal, closing) => Decoded::Fatal(error(&tag, refusal), closing),
        }
    }

    fn reply(&self, tag: &RequestTag, reply: &Reply) -> Frames {
        vec![W::answer(tag, Answer::of(reply))]
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

    fn followed(&self, tag: &RequestTag, snapshots: &[Snapshot]) -> Frames {
        let (presences, rest) = message::reply(tag, snapshots, W::size);
        std::iter::once(W::status(tag, &presences)).chain(rest.iter().map(W::event)).collect()
    }
}
