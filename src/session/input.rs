//! What a client sends, frame by frame, and no further than the session can follow.
//!
//! actix-web-actors reads whatever comes into a buffer of its own, before it looks at the first frame and whatever length
//! that frame announces: one client can fill the memory. So this is read here: only when no whole frame is there, not at
//! all while the gate is closed, and never for a frame larger than a message may be. The rest stays in the kernel, and
//! the client feels it.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_codec::Decoder as _;
use actix_http::error::PayloadError;
use actix_http::ws::{Codec, Frame, ProtocolError};
use actix_web::web::{Bytes, BytesMut};
use futures_util::Stream;

use super::input_gate::InputGate;

/// The frames of one client. After the first error nothing more comes out, and what comes in is thrown away, so that
/// the close frame can still be answered by a client that hangs up.
pub struct Input<S> {
    bytes: S,
    input_gate: InputGate,
    codec: Codec,
    /// Of a frame that is not whole. Owns nothing between frames.
    partial: BytesMut,
    /// Largest payload of a frame.
    limit: usize,
    failed: bool,
}

impl<S> Input<S> {
    /// Frames out of `bytes`, each with a payload of at most `limit` bytes.
    pub fn new(bytes: S, input_gate: InputGate, limit: usize) -> Self {
        Self { bytes, input_gate, codec: Codec::new().max_size(limit), partial: BytesMut::new(), limit, failed: false }
    }

    /// The next frame of those bytes that are here.
    fn decode(&mut self) -> Result<Option<Frame>, ProtocolError> {
        if announced(&self.partial).is_some_and(|length| length > self.limit as u64) {
            return Err(ProtocolError::Overflow);
        }
        let frame = self.codec.decode(&mut self.partial)?;
        if self.partial.is_empty() {
            self.partial = BytesMut::new();
        }
        Ok(frame)
    }

    fn take(&mut self, bytes: Bytes) {
        if self.partial.is_empty() {
            self.partial = bytes.try_into_mut().unwrap_or_else(|shared| BytesMut::from(&shared[..]));
        } else {
            self.partial.extend_from_slice(&bytes);
        }
    }
}

impl<S: Stream<Item = Result<Bytes, PayloadError>> + Unpin> Stream for Input<S> {
    type Item = Result<Frame, ProtocolError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.input_gate.is_closed(context) && !self.failed {
            return Poll::Pending;
        }
        loop {
            if !self.failed {
                match self.decode() {
                    Ok(Some(frame)) => return Poll::Ready(Some(Ok(frame))),
                    Ok(None) => {}
                    Err(error) => {
                        self.failed = true;
                        self.partial = BytesMut::new();
                        return Poll::Ready(Some(Err(error)));
                    }
                }
            }
            match Pin::new(&mut self.bytes).poll_next(context) {
                Poll::Ready(Some(Ok(_))) if self.failed => {}
                Poll::Ready(Some(Ok(bytes))) => self.take(bytes),
                // A line that breaks has ended, like one that is shut.
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

/// The payload length that a frame's header announces (RFC 6455 section 5.2), once that much of it is here.
fn announced(bytes: &[u8]) -> Option<u64> {
    let (&[_, second], rest) = bytes.split_first_chunk()?;
    match second & 0x7f {
        126 => rest.first_chunk().map(|&length| u64::from(u16::from_be_bytes(length))),
        127 => rest.first_chunk().map(|&length| u64::from_be_bytes(length)),
        short => Some(u64::from(short)),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt, StreamExt, stream};

    use super::*;

    type Socket = stream::Iter<std::vec::IntoIter<Result<Bytes, PayloadError>>>;

    fn input(pieces: &[&'static [u8]], limit: usize) -> (Input<Socket>, InputGate) {
        let pieces: Vec<_> = pieces.iter().map(|&piece| Ok(Bytes::from_static(piece))).collect();
        let input_gate = InputGate::default();
        (Input::new(stream::iter(pieces), input_gate.clone(), limit), input_gate)
    }

    fn next(input: &mut Input<Socket>) -> Option<Option<Result<Frame, ProtocolError>>> {
        input.next().now_or_never()
    }

    /// Masked with zeros.
    const HELLO: &[u8] = b"\x81\x85\0\0\0\0hello";

    #[test]
    fn frames_come_out_whole_however_they_are_cut() {
        for cut in 0..HELLO.len() {
            let (mut input, _) = input(&[&HELLO[..cut], &HELLO[cut..], HELLO], 5);
            for _ in 0..2 {
                let frame = next(&mut input).unwrap().unwrap().unwrap();
                assert!(matches!(frame, Frame::Text(text) if text == "hello"));
            }
            assert!(next(&mut input).unwrap().is_none());
        }
    }

    #[test]
    fn behind_a_closed_gate_even_what_is_read_already_waits() {
        let (mut input, input_gate) = input(&[b"\x8a\x80\0\0\0\0\x8a\x80\0\0\0\0"], 5);
        assert!(next(&mut input).unwrap().unwrap().is_ok());
        input_gate.set_closed(true);
        assert!(next(&mut input).is_none());
        input_gate.set_closed(false);
        assert!(next(&mut input).unwrap().unwrap().is_ok());
        assert_eq!(input.partial.capacity(), 0, "an idle input owns memory");
    }

    #[test]
    fn a_frame_that_announces_too_much_is_refused_at_its_header() {
        for header in [b"\x81\x86".as_slice(), b"\x81\xfe\x01\x00", b"\x81\xff\0\0\x01\0\0\0\0\0"] {
            let (mut input, _) = input(&[header, HELLO], 5);
            assert!(matches!(next(&mut input), Some(Some(Err(ProtocolError::Overflow)))));
            assert!(next(&mut input).unwrap().is_none(), "something came after the error");
        }
    }

    #[test]
    fn only_as_much_is_read_as_the_next_frame_needs() {
        let (mut input, _) = input(&[HELLO, HELLO, HELLO], 5);
        assert!(next(&mut input).unwrap().unwrap().is_ok());
        assert_eq!(input.bytes.size_hint().0, 2, "pieces were read before they were wanted");
    }
}
