//! The frames of a client, read with back-pressure: no faster than the session handles them.
//!
//! actix-web-actors reads all bytes into a buffer of its own before it decodes the first frame, and accepts any length that
//! the frame announces: one client can fill the memory. So the session reads its input here: only if no whole frame is
//! buffered, not while the [`input_gate`](super::input_gate) is closed, and never for a frame larger than the maximum
//! message. The rest stays in the kernel, where it slows the client down. Fragments are joined in
//! [`reassembler`](super::reassembler).
//!
//! A client that sends without a pause gets the thread for a limited number of frames at a time. Then the other
//! connections of the thread have their turn.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use actix_codec::Decoder as _;
use actix_http::error::PayloadError;
use actix_http::ws::{Codec, Frame, Item, ProtocolError};
use actix_web::web::{Bytes, BytesMut};
use futures_util::Stream;

use super::input_gate::InputGate;
use crate::presence::work::WorkBudget;

/// Units of work in one turn of a connection: frames and reads. A few tenths of a millisecond.
const UNITS_PER_TURN: usize = 64;

/// The stream of one client's frames. After the first error it yields nothing more and discards all bytes, so that the
/// client can still answer the close frame by closing the connection.
pub struct Input<S> {
    bytes: S,
    input_gate: InputGate,
    codec: Codec,
    /// The bytes of an incomplete frame. Owns no memory between frames.
    partial: BytesMut,
    /// Maximum payload of a frame, in bytes.
    limit: usize,
    /// Whether the stream has yielded an error.
    failed: bool,
    /// Units of work in the current turn.
    turn: usize,
}

impl<S> Input<S> {
    /// Decodes `bytes` into frames with payloads of up to `limit` bytes.
    pub fn new(bytes: S, input_gate: InputGate, limit: usize) -> Self {
        Self {
            bytes,
            input_gate,
            codec: Codec::new().max_size(limit),
            partial: BytesMut::new(),
            limit,
            failed: false,
            turn: 0,
        }
    }

    /// Returns the next frame, or `None` if the buffered bytes hold no whole frame.
    fn decode(&mut self) -> Result<Option<Frame>, ProtocolError> {
        if announced_length(&self.partial).is_some_and(|length| length > self.limit as u64) {
            return Err(ProtocolError::Overflow);
        }
        let frame = self.codec.decode(&mut self.partial)?;
        if self.partial.is_empty() {
            self.partial = BytesMut::new();
        }
        self.turn += frame.as_ref().map_or(0, |frame| WorkBudget::frame_units(payload_bytes(frame)));
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
        if !self.failed && self.input_gate.poll_open(context).is_pending() {
            return Poll::Pending;
        }
        loop {
            if self.turn >= UNITS_PER_TURN {
                self.turn = 0;
                return defer(context);
            }
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
                Poll::Ready(Some(Ok(bytes))) => {
                    self.turn += 1;
                    if !self.failed {
                        self.take(bytes);
                    }
                }
                // A lost connection ends the stream, like a closed one.
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(None),
                Poll::Pending => {
                    self.turn = 0;
                    return Poll::Pending;
                }
            }
        }
    }
}

/// Ends the turn. The task is woken after the runtime has looked for other work: a task that wakes itself at once would
/// run again before those that sockets and other threads woke.
fn defer<T>(context: &mut Context<'_>) -> Poll<T> {
    // The first poll schedules the wake.
    let scheduled = pin!(tokio::task::yield_now()).poll(context);
    debug_assert!(scheduled.is_pending(), "it never yields at once");
    Poll::Pending
}

/// Returns the size of a frame's payload.
pub fn payload_bytes(frame: &Frame) -> usize {
    match frame {
        Frame::Text(bytes) | Frame::Binary(bytes) | Frame::Ping(bytes) | Frame::Pong(bytes) => bytes.len(),
        Frame::Continuation(
            Item::FirstText(bytes) | Item::FirstBinary(bytes) | Item::Continue(bytes) | Item::Last(bytes),
        ) => bytes.len(),
        Frame::Close(_) => 0,
    }
}

/// Returns the payload length in a frame's header (RFC 6455 section 5.2), or `None` if the header is incomplete.
fn announced_length(bytes: &[u8]) -> Option<u64> {
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

    type Pieces = stream::Iter<std::vec::IntoIter<Result<Bytes, PayloadError>>>;

    fn input(pieces: &[&'static [u8]], limit: usize) -> (Input<Pieces>, InputGate) {
        let pieces: Vec<_> = pieces.iter().map(|&piece| Ok(Bytes::from_static(piece))).collect();
        let input_gate = InputGate::default();
        (Input::new(stream::iter(pieces), input_gate.clone(), limit), input_gate)
    }

    fn next(input: &mut Input<Pieces>) -> Option<Option<Result<Frame, ProtocolError>>> {
        input.next().now_or_never()
    }

    /// A text frame, masked with zeros.
    const HELLO: &[u8] = b"\x81\x85\0\0\0\0hello";

    #[test]
    fn frames_cut_into_any_two_pieces_come_out_whole() {
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
    fn a_closed_gate_holds_back_even_buffered_frames() {
        let (mut input, input_gate) = input(&[b"\x8a\x80\0\0\0\0\x8a\x80\0\0\0\0"], 5);
        assert!(next(&mut input).unwrap().unwrap().is_ok());
        input_gate.close();
        assert!(next(&mut input).is_none());
        input_gate.open();
        assert!(next(&mut input).unwrap().unwrap().is_ok());
        assert_eq!(input.partial.capacity(), 0, "an idle input owns memory");
    }

    #[test]
    fn a_client_that_sends_without_a_pause_gets_a_turn_at_a_time() {
        let pings = b"\x89\x80\0\0\0\0".repeat(3 * UNITS_PER_TURN);
        let pings: &'static [u8] = pings.leak();
        let (mut input, _) = input(&[pings], 5);
        let mut turns = vec![0];
        for _ in 0..3 * UNITS_PER_TURN + 3 {
            match next(&mut input) {
                Some(Some(frame)) => {
                    assert!(matches!(frame.unwrap(), Frame::Ping(_)));
                    *turns.last_mut().unwrap() += 1;
                }
                Some(None) => break,
                None => turns.push(0),
            }
        }
        assert_eq!(turns, [UNITS_PER_TURN - 1, UNITS_PER_TURN, UNITS_PER_TURN, 1], "the read counts, too");
    }

    #[test]
    fn what_follows_an_error_is_discarded_in_turns() {
        let header: &[u8] = b"\x81\x86";
        let pieces: Vec<&[u8]> =
            std::iter::once(header).chain(std::iter::repeat_n(HELLO, 2 * UNITS_PER_TURN)).collect();
        let (mut input, _) = input(&pieces, 5);
        assert!(matches!(next(&mut input), Some(Some(Err(ProtocolError::Overflow)))));
        assert!(next(&mut input).is_none(), "everything was discarded in one turn");
        assert!(next(&mut input).is_none());
        assert!(next(&mut input).unwrap().is_none(), "the end");
    }

    #[test]
    fn a_frame_with_a_too_large_length_is_refused_at_its_header() {
        for header in [b"\x81\x86".as_slice(), b"\x81\xfe\x01\x00", b"\x81\xff\0\0\x01\0\0\0\0\0"] {
            let (mut input, _) = input(&[header, HELLO], 5);
            assert!(matches!(next(&mut input), Some(Some(Err(ProtocolError::Overflow)))));
            assert!(next(&mut input).unwrap().is_none(), "something came after the error");
        }
    }

    #[test]
    fn no_more_bytes_are_read_than_the_next_frame_needs() {
        let (mut input, _) = input(&[HELLO, HELLO, HELLO], 5);
        assert!(next(&mut input).unwrap().unwrap().is_ok());
        assert_eq!(input.bytes.size_hint().0, 2, "pieces were read before they were needed");
    }
}
