//! What a dialect provides for a session.

use std::borrow::Cow;

use super::command::{Reply, TaggedCommand};
use crate::outbox::{Codec, Frame, Frames, RequestTag};

/// One whole message from a client.
#[derive(Clone, Copy, Debug)]
pub enum Incoming<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
}

/// What a message turns out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A command.
    Command(TaggedCommand),
    /// Something that the dialect refuses by itself, with these frames. The connection stays.
    Refused(Frames),
    /// Something after which the connection cannot stay: the frames go out first.
    Fatal(Frames, CloseFrame),
    /// The answer to [`Protocol::ping`].
    Pong,
    /// The next that many answers are to go out as one.
    BatchReplies(usize),
    /// Several in one message, to be taken in order.
    Batch(Vec<Decoded>),
}

/// The close frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    /// The close code of RFC 6455 section 7.4.
    pub code: u16,
    /// The reason, at most 123 bytes; may be empty.
    pub reason: Cow<'static, str>,
}

impl CloseFrame {
    /// A close frame of this code and reason.
    pub const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }
}

/// Why the session closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The server stops.
    Drain,
    /// The user is disconnected by the server.
    Disconnected,
    /// The client answers no pings.
    PingTimeout,
    /// A message is larger than it may be.
    MessageTooLarge,
    /// The frames break RFC 6455.
    ProtocolError,
    /// A text message is no UTF-8.
    InvalidUtf8,
    /// The client does not say who it is.
    HandshakeTimeout,
    /// The client does what no client may.
    BadRequest,
    /// The client's token is none.
    InvalidToken,
    /// The client's token has expired, and no other came.
    TokenExpired,
    /// Clients like this one are not let in.
    NotPermitted,
    /// The client's user has as many connections as it may have.
    TooManyConnections,
    /// The client said goodbye.
    LoggedOut,
    /// The server cannot take the client in at the moment.
    Busy,
}

/// A dialect: translates, and decides nothing.
pub trait Protocol: Codec {
    /// Reads a message.
    fn decode(&self, incoming: Incoming<'_>) -> Decoded;

    /// The session's answer to a command.
    fn reply(&self, tag: &RequestTag, reply: &Reply) -> Frames;

    /// The message that asks a client for a sign of life, in dialects that have one of their own.
    fn ping(&self) -> Option<Frame> {
        None
    }

    /// What is said before the connection is closed, in dialects that have a word for it besides the close frame.
    fn closing_message(&self, _: CloseReason) -> Option<Frame> {
        None
    }

    /// How the dialect says why it closes.
    fn close_frame(&self, cause: CloseReason) -> CloseFrame;

    /// This protocol as the codec of an outbox.
    fn as_codec(&'static self) -> &'static dyn Codec;
}
