//! Centrifugo's client protocol for user status (`client.proto` of centrifugal/protocol).
//!
//! A client follows a user by a subscription to the channel `status:<user>`. The reply contains the status of the user. Each
//! change is a publication of the same form ([`status`]).
//!
//! * [`message`]: what both formats share: the meaning of a command, errors, close frames;
//! * [`channel`]: channel names;
//! * [`json`]: text frames, one command per line;
//! * [`protobuf`]: binary frames, each command after its length.

mod channel;
mod code;
mod json;
mod message;
mod protobuf;
mod status;
#[cfg(test)]
mod tests;

use std::marker::PhantomData;

use bytestring::ByteString;

use crate::outbox::{ClientAlias, Codec, Encoding, Frame, Frames, Publisher, RequestTag};
use crate::presence::diff::{Diff, Snapshot};
use crate::session::command::Reply;
use crate::session::protocol::{CloseFrame, CloseReason, Decoded, Incoming, Protocol};
use message::{ClientCommand, CommandReply, Tag};

/// Maximum number of commands in one message. More end the connection, because a command takes far more memory than the byte
/// that an empty one has on the wire. A client that subscribes to everything at once needs fewer.
const MAX_COMMANDS: usize = 4096;

/// A wire format of commands and replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON in text frames.
    Json,
    /// Protobuf in binary frames.
    Protobuf,
}

impl Format {
    /// Returns the subprotocol with this name in `Sec-WebSocket-Protocol`, and its format.
    pub fn of_subprotocol(name: &str) -> Option<(&'static str, Self)> {
        [("centrifuge-json", Self::Json), ("centrifuge-protobuf", Self::Protobuf)]
            .into_iter()
            .find(|&(known, _)| known == name)
    }

    /// Returns the protocol of this format.
    pub fn protocol(self) -> &'static dyn Protocol {
        match self {
            Self::Json => &Centrifugo::<json::Json>(PhantomData),
            Self::Protobuf => &Centrifugo::<protobuf::Protobuf>(PhantomData),
        }
    }
}

/// A wire format of commands and replies.
trait Wire: Send + Sync + 'static {
    const ENCODING: Encoding;

    /// Decodes the commands of a message in order, one more than [`MAX_COMMANDS`] at most. The last may be an error.
    fn read(incoming: Incoming<'_>) -> Vec<Result<ClientCommand, message::Unreadable>>;

    /// Encodes the reply to a command.
    fn reply(id: u32, answer: &CommandReply) -> Frame;

    /// Encodes a publication. `data` is JSON.
    fn publication(channel: &str, data: &str) -> Frame;

    /// Encodes the server's ping.
    fn ping() -> Frame;
}

/// The protocol in the wire format `W`.
struct Centrifugo<W>(PhantomData<W>);

impl<W: Wire> Centrifugo<W> {
    fn meaning(call: Result<ClientCommand, message::Unreadable>) -> Decoded {
        match call {
            Ok(call) => {
                let id = call.id;
                message::interpret(call)
                    .unwrap_or_else(|code| Decoded::Refused(vec![W::reply(id, &CommandReply::Error(code))]))
            }
            Err(message::Unreadable) => Decoded::Fatal(Vec::new(), message::BAD_REQUEST),
        }
    }
}

impl<W: Wire> Protocol for Centrifugo<W> {
    fn decode(&self, incoming: Incoming<'_>) -> Decoded {
        let mut calls = W::read(incoming);
        if calls.len() > MAX_COMMANDS {
            calls[MAX_COMMANDS] = Err(message::Unreadable);
        }
        match calls.pop() {
            None => Self::meaning(Err(message::Unreadable)),
            Some(only) if calls.is_empty() => Self::meaning(only),
            Some(last) => Decoded::Batch(calls.into_iter().chain([last]).map(Self::meaning).collect()),
        }
    }

    fn reply(&self, tag: &RequestTag, reply: &Reply) -> Frames {
        let tag = Tag::of(tag);
        vec![W::reply(tag.id, &CommandReply::of(&tag, reply))]
    }

    fn ping(&self) -> Option<Frame> {
        Some(W::ping())
    }

    fn close_frame(&self, cause: CloseReason) -> CloseFrame {
        message::close_frame(cause)
    }

    fn as_codec(&'static self) -> &'static dyn Codec {
        self
    }
}

impl<W: Wire> Codec for Centrifugo<W> {
    fn encoding(&self) -> Encoding {
        W::ENCODING
    }

    /// Never called, because clients get whole presences.
    fn diff(&self, _: &Diff) -> Frames {
        Vec::new()
    }

    fn follow_reply(&self, tag: &RequestTag, snapshots: &[Snapshot]) -> Frames {
        let tag = Tag::of(tag);
        let shown = snapshots.first().map_or_else(status::absent, status::body);
        let data = status::data(channel::user(tag.channel), &shown);
        vec![W::reply(tag.id, &CommandReply::Subscribe { data })]
    }

    fn publisher(&self) -> Option<&dyn Publisher> {
        Some(self)
    }
}

impl<W: Wire> Publisher for Centrifugo<W> {
    /// Encodes what follows the user's name in `data`. Followers may use different names for the user.
    fn body(&self, after: &Snapshot) -> ByteString {
        status::body(after).into()
    }

    fn publication(&self, alias: &ClientAlias, body: &str) -> Frame {
        W::publication(&alias.0, &status::data(channel::user(&alias.0), body))
    }
}
