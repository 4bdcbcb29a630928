//! One WebSocket frame to a client, as it is on the wire.
//!
//! A server does not mask its frames (RFC 6455 section 5.1), so all followers share the bytes of one frame.

use std::fmt;

use actix_http::ws::{CloseCode, CloseReason, OpCode, Parser};
use actix_web::web::{Bytes, BytesMut};

/// Maximum size of a frame's header.
const MAX_HEADER_BYTES: usize = 10;

/// Maximum size of a close reason (section 5.5: the payload of a control frame has up to 125 bytes, two of them for the
/// code).
const MAX_REASON_BYTES: usize = 123;

/// A whole frame. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// Encodes a text message.
    pub fn text(text: &str) -> Self {
        Self::new(OpCode::Text, text.as_bytes())
    }

    /// Encodes a binary message.
    pub fn binary(bytes: &[u8]) -> Self {
        Self::new(OpCode::Binary, bytes)
    }

    /// Encodes a ping, which the client answers with a pong.
    pub fn ping() -> Self {
        Self::new(OpCode::Ping, b"")
    }

    /// Encodes a pong with the payload of the ping.
    pub fn pong(payload: &[u8]) -> Self {
        Self::new(OpCode::Pong, payload)
    }

    /// Encodes a close frame. Cuts a reason that is too long.
    pub fn close(code: u16, reason: &str) -> Self {
        let end = reason.floor_char_boundary(MAX_REASON_BYTES);
        let description = (end > 0).then(|| reason[..end].to_owned());
        let mut bytes = BytesMut::with_capacity(MAX_HEADER_BYTES + 2 + end);
        Parser::write_close(&mut bytes, Some(CloseReason { code: CloseCode::from(code), description }), false);
        Self(bytes.freeze())
    }

    fn new(code: OpCode, payload: &[u8]) -> Self {
        let mut bytes = BytesMut::with_capacity(MAX_HEADER_BYTES + payload.len());
        Parser::write_message(&mut bytes, payload, code, true, false);
        Self(bytes.freeze())
    }

    /// Returns the bytes on the wire.
    pub fn wire(&self) -> &Bytes {
        &self.0
    }

    /// Returns the bytes on the wire, without a copy.
    pub fn into_wire(self) -> Bytes {
        self.0
    }

    /// Returns the rest of the frame after `sent` bytes.
    pub(super) fn after(&self, sent: usize) -> Self {
        Self(self.0.slice(sent..))
    }

    /// Returns the size on the wire in bytes.
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// Returns the text of a text message, or `None` for any other frame.
    pub fn as_text(&self) -> Option<&str> {
        self.payload_of(OpCode::Text).and_then(|payload| std::str::from_utf8(payload).ok())
    }

    /// Returns the payload of a binary message, or `None` for any other frame.
    pub fn as_binary(&self) -> Option<&[u8]> {
        self.payload_of(OpCode::Binary)
    }

    fn payload_of(&self, code: OpCode) -> Option<&[u8]> {
        let (&[first, second], _) = self.0.split_first_chunk()?;
        let header = match second {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        (OpCode::from(first & 0x0f) == code).then(|| &self.0[header..])
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.as_text() {
            Some(text) => write!(formatter, "Frame({text:?})"),
            None => write!(formatter, "Frame({:?})", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_read_back_at_every_length_of_the_header() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let text = "x".repeat(length);
            assert_eq!(Frame::text(&text).as_text(), Some(text.as_str()));
            assert_eq!(Frame::binary(text.as_bytes()).as_binary(), Some(text.as_bytes()));
        }
        assert_eq!(Frame::binary(b"x").as_text(), None);
        assert_eq!(Frame::text("x").as_binary(), None);
    }

    #[test]
    fn frames_are_on_the_wire_as_the_protocol_says() {
        assert_eq!(Frame::text("hi").wire()[..], [0x81, 2, b'h', b'i']);
        assert_eq!(Frame::ping().wire()[..], [0x89, 0]);
        assert_eq!(Frame::pong(b"a").wire()[..], [0x8a, 1, b'a']);
        assert_eq!(Frame::close(1000, "").wire()[..], [0x88, 2, 0x03, 0xe8]);
        assert_eq!(Frame::close(3000, "x").wire()[..], [0x88, 3, 0x0b, 0xb8, b'x']);
        assert_eq!(Frame::close(1000, &"ä".repeat(100)).size(), 2 + 2 + 122);
    }
}
