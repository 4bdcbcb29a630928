//! What an HTTP connection is doing, and until when it may: a state machine that is told the time.

use std::time::Duration;

use tokio::time::Instant;

/// Deadlines of every HTTP connection.
#[derive(Clone, Copy, Debug)]
pub struct HttpTimeouts {
    /// Maximum duration of a request, from its first byte to the last byte of its body. A new connection must send its
    /// first request within this time.
    pub request: Duration,
    /// Maximum duration of the wait for the next request, and of a response that the client reads slowly.
    pub keep_alive: Duration,
}

/// What an HTTP connection is doing. Requests follow one another; a pipelined request begins when the response before it
/// has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// No byte of the first request has come.
    Opened(Instant),
    /// The response has been written. No byte of the next request has come.
    Idle(Instant),
    /// The head of a request arrives.
    Head(Instant),
    /// The service has the head. The body arrives.
    Body(Instant),
    /// The request is complete, and the service works on it.
    Handling,
    /// The response is sent. `rest` is the deadline of the rest of a body that the service did not read.
    Responding {
        /// Deadline of the response.
        until: Instant,
        /// Deadline of the rest of the request.
        rest: Option<Instant>,
    },
    /// The last bytes of the response are sent.
    Flushing {
        /// Deadline of the response.
        until: Instant,
        /// Deadline of the rest of the request.
        rest: Option<Instant>,
    },
    /// The response has been written, and the rest of the request is skipped.
    Skipping(Instant),
}

impl Phase {
    /// The phase of a new connection.
    pub fn opened(timeouts: &HttpTimeouts, now: Instant) -> Self {
        Self::Opened(now + timeouts.request)
    }

    /// Returns when the connection must be closed. `None` means that it waits for the server.
    pub fn deadline(self) -> Option<Instant> {
        match self {
            Self::Opened(until)
            | Self::Idle(until)
            | Self::Head(until)
            | Self::Body(until)
            | Self::Skipping(until)
            | Self::Responding { until, .. }
            | Self::Flushing { until, .. } => Some(until),
            Self::Handling => None,
        }
    }

    /// Returns whether the client owes the head of a request.
    pub fn awaits_head(self) -> bool {
        matches!(self, Self::Opened(_) | Self::Idle(_) | Self::Head(_))
    }

    /// Bytes came from the client.
    pub fn received(self, timeouts: &HttpTimeouts, now: Instant) -> Self {
        match self {
            Self::Opened(until) => Self::Head(until),
            Self::Idle(_) => Self::Head(now + timeouts.request),
            other @ (Self::Head(_)
            | Self::Body(_)
            | Self::Handling
            | Self::Responding { .. }
            | Self::Flushing { .. }
            | Self::Skipping(_)) => other,
        }
    }

    /// The service got the head of a request.
    pub fn begin(self, has_body: bool, timeouts: &HttpTimeouts, now: Instant) -> Self {
        if !has_body {
            return Self::Handling;
        }
        match self {
            Self::Head(until) => Self::Body(until),
            // A pipelined request: its head came during the exchange before it.
            Self::Opened(_)
            | Self::Idle(_)
            | Self::Body(_)
            | Self::Handling
            | Self::Responding { .. }
            | Self::Flushing { .. }
            | Self::Skipping(_) => Self::Body(now + timeouts.request),
        }
    }

    /// The service read the last byte of the body.
    pub fn body_received(self) -> Self {
        match self {
            Self::Body(_) => Self::Handling,
            Self::Responding { until, .. } => Self::Responding { until, rest: None },
            Self::Flushing { until, .. } => Self::Flushing { until, rest: None },
            other @ (Self::Opened(_) | Self::Idle(_) | Self::Head(_) | Self::Handling | Self::Skipping(_)) => other,
        }
    }

    /// The service made the response.
    pub fn respond(self, timeouts: &HttpTimeouts, now: Instant) -> Self {
        let rest = if let Self::Body(until) = self { Some(until) } else { None };
        Self::Responding { until: now + timeouts.keep_alive, rest }
    }

    /// The last byte of the response waits to be written.
    pub fn response_ended(self) -> Self {
        match self {
            Self::Responding { until, rest } => Self::Flushing { until, rest },
            other @ (Self::Opened(_)
            | Self::Idle(_)
            | Self::Head(_)
            | Self::Body(_)
            | Self::Handling
            | Self::Flushing { .. }
            | Self::Skipping(_)) => other,
        }
    }

    /// Everything is written that waited.
    pub fn flushed(self, timeouts: &HttpTimeouts, now: Instant) -> Self {
        match self {
            Self::Flushing { rest: None, .. } => Self::Idle(now + timeouts.keep_alive),
            Self::Flushing { rest: Some(until), .. } => Self::Skipping(until),
            other @ (Self::Opened(_)
            | Self::Idle(_)
            | Self::Head(_)
            | Self::Body(_)
            | Self::Handling
            | Self::Responding { .. }
            | Self::Skipping(_)) => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUTS: HttpTimeouts =
        HttpTimeouts { request: Duration::from_secs(10), keep_alive: Duration::from_secs(75) };

    /// Seconds from a moment.
    struct Clock(Instant);

    impl Clock {
        fn at(&self, seconds: u64) -> Instant {
            self.0 + Duration::from_secs(seconds)
        }
    }

    fn clock() -> Clock {
        Clock(Instant::now())
    }

    #[test]
    fn a_request_has_one_deadline_for_head_and_body_that_no_byte_moves() {
        let clock = clock();
        let mut phase = Phase::opened(&TIMEOUTS, clock.at(0));
        for second in 1..5 {
            phase = phase.received(&TIMEOUTS, clock.at(second));
            assert_eq!(phase, Phase::Head(clock.at(10)));
        }
        phase = phase.begin(true, &TIMEOUTS, clock.at(5));
        for second in 5..9 {
            phase = phase.received(&TIMEOUTS, clock.at(second));
            assert_eq!(phase.deadline(), Some(clock.at(10)));
        }
        assert_eq!(phase.body_received().deadline(), None, "the server may think as long as it wants");
    }

    #[test]
    fn after_a_response_the_next_head_has_a_deadline_from_its_first_byte() {
        let clock = clock();
        let phase = Phase::opened(&TIMEOUTS, clock.at(0)).received(&TIMEOUTS, clock.at(0));
        let phase = phase.begin(false, &TIMEOUTS, clock.at(1));
        assert_eq!(phase, Phase::Handling);
        let phase = phase.respond(&TIMEOUTS, clock.at(100));
        assert_eq!(phase.deadline(), Some(clock.at(175)), "the client may read slowly, not endlessly");
        let phase = phase.flushed(&TIMEOUTS, clock.at(101));
        assert_eq!(phase.deadline(), Some(clock.at(175)), "the body has not ended");
        let phase = phase.response_ended().flushed(&TIMEOUTS, clock.at(102));
        assert_eq!(phase, Phase::Idle(clock.at(177)));
        let phase = phase.received(&TIMEOUTS, clock.at(150));
        assert_eq!(phase, Phase::Head(clock.at(160)));
        assert!(phase.awaits_head());
    }

    #[test]
    fn the_unread_rest_of_a_body_keeps_the_deadline_of_its_request() {
        let clock = clock();
        let phase = Phase::opened(&TIMEOUTS, clock.at(0)).received(&TIMEOUTS, clock.at(0));
        let phase = phase.begin(true, &TIMEOUTS, clock.at(1)).respond(&TIMEOUTS, clock.at(2));
        let phase = phase.response_ended().flushed(&TIMEOUTS, clock.at(3));
        assert_eq!(phase, Phase::Skipping(clock.at(10)));
        assert_eq!(phase.received(&TIMEOUTS, clock.at(9)), phase);
    }

    #[test]
    fn a_pipelined_request_begins_without_an_idle_time() {
        let clock = clock();
        let phase = Phase::Handling.received(&TIMEOUTS, clock.at(5)).respond(&TIMEOUTS, clock.at(6)).response_ended();
        assert_eq!(phase.begin(true, &TIMEOUTS, clock.at(7)), Phase::Body(clock.at(17)));
        assert_eq!(phase.begin(false, &TIMEOUTS, clock.at(7)), Phase::Handling);
    }
}
