//! What an HTTP/2 connection does, from its frames: until when it may, and whether it is a flood. A state machine that is
//! told the time.

use std::collections::HashSet;
use std::time::Duration;

use tokio::time::Instant;

use super::frames::{FrameHeader, FrameScanner, kind};

/// Length of the preface of a client, in bytes (RFC 9113 section 3.4).
const PREFACE: usize = 24;

/// Number of frames without a call that a connection may send at once: pings, settings, resets and the like.
const CONTROL_BURST: u32 = 2_000;

/// Number of such frames that are allowed for each second that passes.
const CONTROL_PER_SECOND: u32 = 200;

/// Number of such frames that are allowed for each call: window updates, and pings that measure the bandwidth.
const CONTROL_PER_CALL: u32 = 16;

/// Deadlines of every gRPC connection.
#[derive(Clone, Copy, Debug)]
pub struct GrpcTimeouts {
    /// Maximum duration of the handshake and of each frame.
    pub request: Duration,
    /// Maximum duration of the wait for the next call.
    pub keep_alive: Duration,
}

/// The connection sends more frames without a call than a client needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ControlFlood;

/// Follows the frames of one connection in both directions.
#[derive(Debug)]
pub struct Http2Meter {
    timeouts: GrpcTimeouts,
    incoming: FrameScanner,
    outgoing: FrameScanner,
    /// Streams of calls that neither side has ended. The server refuses those past its limit, which ends them.
    open: HashSet<u32>,
    /// The highest stream of a call.
    last_stream: u32,
    /// The client owes the rest of headers.
    owes_headers: bool,
    /// Deadline of the handshake, or `None` after it.
    handshake: Option<Instant>,
    /// Deadline of the frame that arrives, or `None` between frames.
    frame: Option<Instant>,
    /// Deadline of the next call.
    idle: Instant,
    /// Frames without a call that are allowed now.
    allowance: u32,
    /// When the allowance last grew.
    grew: Instant,
}

impl Http2Meter {
    /// Follows a new connection.
    pub fn new(timeouts: GrpcTimeouts, now: Instant) -> Self {
        Self {
            timeouts,
            incoming: FrameScanner::new(PREFACE),
            outgoing: FrameScanner::new(0),
            open: HashSet::new(),
            last_stream: 0,
            owes_headers: false,
            handshake: Some(now + timeouts.request),
            frame: None,
            idle: now + timeouts.keep_alive,
            allowance: CONTROL_BURST,
            grew: now,
        }
    }

    /// Returns when the connection must be closed. `None` means that a call is open, which has a deadline of its own.
    pub fn deadline(&self) -> Option<Instant> {
        let idle = self.open.is_empty().then_some(self.idle);
        [self.handshake, self.frame, idle].into_iter().flatten().min()
    }

    /// Returns whether no call is open.
    pub fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    /// Returns the highest stream of a call if the server may send a frame now, which it may between two frames after
    /// the handshake.
    pub fn last_stream(&self) -> Option<u32> {
        (self.handshake.is_none() && self.outgoing.is_between_frames()).then_some(self.last_stream)
    }

    /// Bytes came from the client.
    pub fn received(&mut self, bytes: &[u8], now: Instant) -> Result<(), ControlFlood> {
        let mut headers = Vec::new();
        let has_ended = self.incoming.scan(bytes, |header| headers.push(header));
        for header in headers {
            self.take(header, now)?;
        }
        let is_complete = self.incoming.is_between_frames() && !self.owes_headers;
        self.frame = match self.frame {
            _ if is_complete => None,
            // A part of the same frame, or of the same headers.
            Some(deadline) if !has_ended || self.owes_headers => Some(deadline),
            Some(_) | None => Some(now + self.timeouts.request),
        };
        Ok(())
    }

    /// Bytes went to the client.
    pub fn sent(&mut self, bytes: &[u8], now: Instant) {
        let Self { outgoing, open, idle, timeouts, .. } = self;
        outgoing.scan(bytes, |header| {
            if header.ends_stream() && open.remove(&header.stream) {
                *idle = now + timeouts.keep_alive;
            }
        });
    }

    fn take(&mut self, header: FrameHeader, now: Instant) -> Result<(), ControlFlood> {
        if self.handshake.is_some() && header.kind == kind::SETTINGS {
            self.handshake = None;
        }
        self.owes_headers = header.continues_headers();
        if header.kind == kind::RST_STREAM && self.open.remove(&header.stream) {
            self.idle = now + self.timeouts.keep_alive;
        }
        let is_call = header.kind == kind::HEADERS && header.stream > self.last_stream;
        if is_call {
            self.last_stream = header.stream;
            self.open.insert(header.stream);
            self.allowance = (self.allowance + CONTROL_PER_CALL).min(CONTROL_BURST);
        }
        let is_message = header.kind == kind::DATA && header.length > 0;
        if is_call || is_message { Ok(()) } else { self.spend(now) }
    }

    /// Counts a frame without a call.
    fn spend(&mut self, now: Instant) -> Result<(), ControlFlood> {
        let seconds = now.saturating_duration_since(self.grew).as_secs();
        if seconds > 0 {
            let grown = u32::try_from(seconds).unwrap_or(u32::MAX).saturating_mul(CONTROL_PER_SECOND);
            self.allowance = self.allowance.saturating_add(grown).min(CONTROL_BURST);
            self.grew += Duration::from_secs(seconds);
        }
        self.allowance = self.allowance.checked_sub(1).ok_or(ControlFlood)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: GrpcTimeouts =
        GrpcTimeouts { request: Duration::from_secs(10), keep_alive: Duration::from_secs(75) };
    const PING: u8 = 6;
    const WINDOW_UPDATE: u8 = 8;

    struct Connection {
        meter: Http2Meter,
        start: Instant,
    }

    impl Connection {
        fn new() -> Self {
            let start = Instant::now();
            Self { meter: Http2Meter::new(TIMEOUTS, start), start }
        }

        /// A connection after its handshake, at second 0.
        fn open() -> Self {
            let mut connection = Self::new();
            connection.receives(0, &[0; PREFACE]).unwrap();
            connection.receives(0, &frame(kind::SETTINGS, 0, 0, 0)).unwrap();
            connection
        }

        fn at(&self, second: u64) -> Instant {
            self.start + Duration::from_secs(second)
        }

        fn receives(&mut self, second: u64, bytes: &[u8]) -> Result<(), ControlFlood> {
            self.meter.received(bytes, self.at(second))
        }

        fn sends(&mut self, second: u64, bytes: &[u8]) {
            self.meter.sent(bytes, self.at(second));
        }

        /// The deadline in seconds.
        fn deadline(&self) -> Option<u64> {
            self.meter.deadline().map(|deadline| deadline.duration_since(self.start).as_secs())
        }
    }

    fn frame(kind: u8, flags: u8, stream: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, stream];
        frame.extend(vec![0; length.into()]);
        frame
    }

    /// The headers of a call, complete.
    fn call(stream: u8) -> Vec<u8> {
        frame(kind::HEADERS, 4, stream, 10)
    }

    /// The end of a response.
    fn trailers(stream: u8) -> Vec<u8> {
        frame(kind::HEADERS, 5, stream, 3)
    }

    #[test]
    fn the_handshake_has_a_deadline_that_no_byte_moves() {
        let mut connection = Connection::new();
        assert_eq!(connection.deadline(), Some(10));
        connection.receives(3, &[0; PREFACE]).unwrap();
        connection.receives(4, &frame(PING, 0, 0, 8)).unwrap();
        assert_eq!((connection.deadline(), connection.meter.last_stream()), (Some(10), None));
        connection.receives(5, &frame(kind::SETTINGS, 0, 0, 0)).unwrap();
        assert_eq!((connection.deadline(), connection.meter.last_stream()), (Some(75), Some(0)));
    }

    #[test]
    fn a_connection_without_a_call_is_idle_whatever_else_it_sends() {
        let mut connection = Connection::open();
        connection.receives(40, &frame(PING, 0, 0, 8)).unwrap();
        connection.receives(41, &frame(WINDOW_UPDATE, 0, 0, 4)).unwrap();
        assert_eq!(connection.deadline(), Some(75));
        connection.receives(50, &call(1)).unwrap();
        assert_eq!((connection.deadline(), connection.meter.is_idle()), (None, false));
        connection.sends(60, &trailers(1));
        assert_eq!((connection.deadline(), connection.meter.is_idle()), (Some(135), true));
        connection.receives(70, &call(3)).unwrap();
        connection.receives(80, &frame(kind::RST_STREAM, 0, 3, 4)).unwrap();
        assert_eq!((connection.deadline(), connection.meter.last_stream()), (Some(155), Some(3)));
    }

    #[test]
    fn an_unfinished_frame_and_unfinished_headers_have_a_deadline() {
        let mut connection = Connection::open();
        connection.receives(20, &call(1)[..5]).unwrap();
        connection.receives(25, &call(1)[5..12]).unwrap();
        assert_eq!(connection.deadline(), Some(30), "in the middle of a header and of a payload");
        connection.receives(26, &call(1)[12..]).unwrap();
        assert_eq!(connection.deadline(), None);
        connection.receives(40, &frame(kind::HEADERS, 0, 3, 1)).unwrap();
        connection.receives(45, &frame(kind::CONTINUATION, 0, 3, 1)).unwrap();
        assert_eq!(connection.deadline(), Some(50), "the headers have not ended");
        connection.receives(46, &frame(kind::CONTINUATION, 4, 3, 1)).unwrap();
        assert_eq!(connection.deadline(), None);
    }

    #[test]
    fn floods_of_frames_without_a_call_are_found() {
        for flood in [
            frame(PING, 0, 0, 8),
            frame(kind::SETTINGS, 0, 0, 0),
            frame(kind::RST_STREAM, 0, 1, 4),
            frame(kind::DATA, 0, 1, 0),
            frame(WINDOW_UPDATE, 0, 0, 4),
            frame(200, 0, 0, 0),
        ] {
            let mut connection = Connection::open();
            let sent = (0..10_000).take_while(|_| connection.receives(0, &flood).is_ok()).count();
            assert_eq!(sent, 1_999, "{flood:?}");
        }
    }

    #[test]
    fn a_client_that_pings_with_its_calls_is_no_flood() {
        let mut connection = Connection::open();
        for number in 0..1_000_u32 {
            let mut headers = call(0);
            headers[5..9].copy_from_slice(&(2 * number + 1).to_be_bytes());
            connection.receives(0, &headers).unwrap();
            for _ in 0..CONTROL_PER_CALL {
                connection.receives(0, &frame(PING, 0, 0, 8)).unwrap();
            }
        }
    }

    #[test]
    fn the_allowance_grows_with_time() {
        let mut connection = Connection::open();
        while connection.receives(0, &frame(PING, 0, 0, 8)).is_ok() {}
        for second in 1..100 {
            for _ in 0..CONTROL_PER_SECOND {
                connection.receives(second, &frame(PING, 0, 0, 8)).unwrap();
            }
        }
        assert_eq!(connection.receives(99, &frame(PING, 0, 0, 8)), Err(ControlFlood));
    }
}
