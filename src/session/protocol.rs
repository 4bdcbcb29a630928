//! The interface between a session and its dialect: decoding of messages, encoding of replies, close frames.
//!
//! The dialects implement it in `crate::dialect`. The vocabulary is in [`command`](super::command).

use std::borrow::Cow;

use super::command::{Reply, TaggedCommand};
use super::listing::Listing;
use crate::metrics::RefusalReason;
use crate::outbox::{Codec, Frame, Frames, RequestTag};
use crate::presence::diff::Snapshot;

/// A whole message of a client.
#[derive(Clone, Copy, Debug)]
pub enum Incoming<'a> {
    /// A text message.
    Text(&'a str),
    /// A binary message.
    Binary(&'a [u8]),
}

/// What a decoded message means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// A command.
    Command(TaggedCommand),
    /// The dialect refuses the message with these frames. The connection stays open.
    Refused(Frames),
    /// The message ends the connection. These frames go out before the close frame.
    Fatal(Frames, CloseFrame),
    /// The client's answer to [`Protocol::ping`].
    Pong,
    /// The next replies, of this number, go out in one frame.
    BatchReplies(usize),
    /// Several commands in one message. They are executed in order.
    Batch(Vec<Decoded>),
}

/// A WebSocket close frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseFrame {
    /// The close code of RFC 6455 section 7.4.
    pub code: u16,
    /// The reason text: maximum 123 bytes, may be empty.
    pub reason: Cow<'static, str>,
}

impl CloseFrame {
    /// Returns a close frame with this code and reason.
    pub const fn new(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }
}

/// Why the session closes a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The server stops.
    Drain,
    /// The server disconnects the user.
    Disconnected,
    /// The client does not answer pings.
    PingTimeout,
    /// A message exceeds the maximum size.
    MessageTooLarge,
    /// The client's frames violate RFC 6455.
    ProtocolError,
    /// A text message is not UTF-8.
    InvalidUtf8,
    /// The client does not authenticate in time.
    HandshakeTimeout,
    /// The client sends a command that is not allowed here.
    BadRequest,
    /// The client's token is not valid.
    InvalidToken,
    /// The client's token has expired and was not replaced.
    TokenExpired,
    /// The configuration does not accept this client.
    NotPermitted,
    /// The client's user has its maximum number of connections.
    TooManyConnections,
    /// The client logged out.
    LoggedOut,
    /// The server cannot accept the client at the moment.
    Busy,
}

impl CloseReason {
    /// Returns why the client is refused, or `None` if it is not refused but leaves, or is sent away.
    pub fn refusal_reason(self) -> Option<RefusalReason> {
        match self {
            Self::Drain | Self::Disconnected | Self::PingTimeout | Self::LoggedOut => None,
            Self::MessageTooLarge => Some(RefusalReason::TooLarge),
            Self::ProtocolError | Self::InvalidUtf8 => Some(RefusalReason::Frame),
            Self::HandshakeTimeout => Some(RefusalReason::HandshakeTimeout),
            Self::BadRequest => Some(RefusalReason::Message),
            Self::InvalidToken => Some(RefusalReason::Token),
            Self::TokenExpired => Some(RefusalReason::TokenExpired),
            Self::NotPermitted => Some(RefusalReason::NotPermitted),
            Self::TooManyConnections => Some(RefusalReason::ConnectionLimit),
            Self::Busy => Some(RefusalReason::Busy),
        }
    }
}

/// A dialect. It translates and decides nothing.
pub trait Protocol: Codec {
    /// Decodes a message.
    fn decode(&self, incoming: Incoming<'_>) -> Decoded;

    /// Encodes the session's reply to a command.
    fn reply(&self, tag: &RequestTag, reply: &Reply) -> Frames;

    /// Encodes the reply to a member's login or subscription, with the users' snapshots in the order of
    /// [`Listing::names`], and the further messages. Only for the dialect that has members.
    fn listed(&self, _: &RequestTag, _: &Listing, _: &[Snapshot]) -> Frames {
        Vec::new()
    }

    /// Returns the dialect's own ping message, or `None` if the dialect has none.
    fn ping(&self) -> Option<Frame> {
        None
    }

    /// Returns the message that precedes the close frame, or `None` if the dialect has none.
    fn closing_message(&self, _: CloseReason) -> Option<Frame> {
        None
    }

    /// Returns the close frame for this reason.
    fn close_frame(&self, reason: CloseReason) -> CloseFrame;

    /// Returns this protocol as the codec of an outbox.
    fn as_codec(&'static self) -> &'static dyn Codec;
}
