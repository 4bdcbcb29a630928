//! Tencent Chat's user status: its methods, names and codes, in JSON-RPC 2.0 over text frames.
//!
//! * [`envelope`]: JSON-RPC itself: requests, batches, errors;
//! * [`call`]: the methods and their parameters;
//! * [`answer`]: results, errors and notifications; * [`code`]: the error codes.

mod answer;
mod call;
mod code;
mod envelope;
#[cfg(test)]
mod tests;

use bytestring::ByteString;

use crate::outbox::{ClientAlias, Codec, Encoding, Frame, Frames, Publisher, RequestTag};
use crate::presence::diff::{Diff, Snapshot};
use crate::session::command::{Reply, TaggedCommand};
use crate::session::listing::Listing;
use crate::session::protocol::{CloseFrame, CloseReason, Decoded, Incoming, Protocol};
use code::Error;
use envelope::{InvalidRequest, Message};

/// The subprotocol. The server echoes it if the client offers it.
pub const SUBPROTOCOL: &str = "jsonrpc";

/// The protocol.
pub fn protocol() -> &'static dyn Protocol {
    &Tencent
}

struct Tencent;

/// Decodes one request of a batch or alone. Returns also whether it gets a reply.
fn meaning(message: Result<Message<'_>, InvalidRequest>) -> (Decoded, bool) {
    match message {
        Ok(message) => {
            let tag = RequestTag(message.id.map(ByteString::from));
            let answered = tag.0.is_some();
            match call::interpret(message.method, message.params) {
                Ok(command) => (Decoded::Command(TaggedCommand { tag, command }), answered),
                Err(error) => (Decoded::Refused(answer::error(&tag, &error)), answered),
            }
        }
        Err(InvalidRequest(code)) => {
            let nobody = RequestTag(Some("null".into()));
            (Decoded::Refused(answer::error(&nobody, &Error::of(code))), true)
        }
    }
}

impl Protocol for Tencent {
    fn decode(&self, incoming: Incoming<'_>) -> Decoded {
        let text = match incoming {
            Incoming::Text(text) => Ok(text),
            Incoming::Binary(bytes) => std::str::from_utf8(bytes),
        };
        let read = text.map_or_else(|_| envelope::Read::One(Err(InvalidRequest::PARSE)), envelope::read);
        match read {
            envelope::Read::One(message) => meaning(message).0,
            envelope::Read::Batch(messages) => {
                let (mut parts, answered): (Vec<Decoded>, Vec<bool>) = messages.into_iter().map(meaning).unzip();
                let answers = answered.into_iter().filter(|&answered| answered).count();
                if answers > 0 {
                    parts.insert(0, Decoded::BatchReplies(answers));
                }
                Decoded::Batch(parts)
            }
        }
    }

    fn reply(&self, tag: &RequestTag, reply: &Reply) -> Frames {
        answer::reply(tag, reply)
    }

    fn listed(&self, tag: &RequestTag, listing: &Listing, snapshots: &[Snapshot]) -> Frames {
        answer::listed(tag, listing, snapshots)
    }

    fn closing_message(&self, cause: CloseReason) -> Option<Frame> {
        (cause == CloseReason::Drain).then(answer::shutting_down)
    }

    fn close_frame(&self, cause: CloseReason) -> CloseFrame {
        code::close_frame(cause)
    }

    fn as_codec(&'static self) -> &'static dyn Codec {
        self
    }
}

impl Codec for Tencent {
    fn encoding(&self) -> Encoding {
        Encoding::TencentJson
    }

    /// Never called, because clients get whole presences.
    fn diff(&self, _: &Diff) -> Frames {
        Vec::new()
    }

    /// Never asked for: what is followed is listed by its names.
    fn follow_reply(&self, _: &RequestTag, _: &[Snapshot]) -> Frames {
        Vec::new()
    }

    fn batch_reply(&self, replies: &[Frame]) -> Frames {
        let texts: Vec<&str> = replies.iter().filter_map(Frame::as_text).collect();
        vec![Frame::text(&format!("[{}]", texts.join(",")))]
    }

    fn publisher(&self) -> Option<&dyn Publisher> {
        Some(self)
    }
}

impl Publisher for Tencent {
    fn is_visible(&self, before: &Snapshot, after: &Snapshot) -> bool {
        before.general_status() != after.general_status() || before.text() != after.text()
    }

    /// What stands in a status after the user's name, which followers may write differently.
    fn body(&self, after: &Snapshot) -> ByteString {
        answer::body(after.general_status(), after.text()).into()
    }

    fn publication(&self, alias: &ClientAlias, body: &str) -> Frame {
        answer::updated(&[answer::status(&alias.0, body)])
    }
}
