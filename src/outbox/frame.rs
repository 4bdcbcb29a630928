//! One WebSocket frame to a client, as it goes over the wire.
//!
//! A server's frames are not masked (RFC 6455 section 5.1), so all followers get the same bytes: made once, shared.

use std::fmt;

use actix_http::ws::{CloseCode, CloseReason, OpCode, Parser};
use actix_web::web::{Bytes, BytesMut};

/// Most that stands before a payload.
const MAX_HEADER_BYTES: usize = 10;

/// The longest reason of a close frame, in bytes (section 5.5: a control frame's payload is at most 125).
const MAX_REASON_BYTES: usize = 123;

/// A whole frame. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame(Bytes);

impl Frame {
    /// A text message.
    pub fn text(text: &str) -> Self {
        Self::new(OpCode::Text, text.as_bytes())
    }

    /// A binary message.
    pub fn binary(bytes: &[u8]) -> Self {
        Self::new(OpCode::Binary, bytes)
    }

    /// Asks the client's end for a pong.
    pub fn ping() -> Self {
        Self::new(OpCode::Ping, b"")
    }

    /// Answers a ping with its own payload.
    pub fn pong(payload: &[u8]) -> Self {
        Self::new(OpCode::Pong, payload)
    }

    /// Closes the connection. A reason that is too long is cut.
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

    /// The bytes on the wire.
    pub fn wire(&self) -> &Bytes {
        &self.0
    }

    /// The bytes on the wire, for keeps.
    pub fn into_wire(self) -> Bytes {
        self.0
    }

    /// What is left of it when that many bytes are out.
    pub(super) fn after(&self, sent: usize) -> Self {
        Self(self.0.slice(sent..))
    }

    /// How many bytes go over the wire.
    pub fn size(&self) -> usize {
        self.0.len()
    }

    /// The text of a text message.
    pub fn as_text(&self) -> Option<&str> {
        self.payload_of(OpCode::Text).and_then(|payload| std::str::from_utf8(payload).ok())
    }

    /// The bytes of a binary message.
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
    fn a_payload_comes_back_at_every_length_of_the_header() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let text = "x".repeat(length);
            assert_eq!(Frame::text(&text).as_text(), Some(text.as_str()));
            assert_eq!(Frame::binary(text.as_bytes()).as_binary(), Some(text.as_bytes()));
        }
        assert_eq!(Frame::binary(b"x").as_text(), None);
        assert_eq!(Frame::text("x").as_binary(), None);
    }

    #[test]
    fn the_wire_has_what_the_protocol_says() {
        assert_eq!(Frame::text("hi").wire()[..], [0x81, 2, b'h', b'i']);
        assert_eq!(Frame::ping().wire()[..], [0x89, 0]);
        assert_eq!(Frame::pong(b"a").wire()[..], [0x8a, 1, b'a']);
        assert_eq!(Frame::close(1000, "").wire()[..], [0x88, 2, 0x03, 0xe8]);
        assert_eq!(Frame::close(3000, "x").wire()[..], [0x88, 3, 0x0b, 0xb8, b'x']);
        assert_eq!(Frame::close(1000, &"ä".repeat(100)).size(), 2 + 2 + 122);
    }
}
