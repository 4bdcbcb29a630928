//! Keepalive by WebSocket pings: a client that sends nothing is pinged, and closed if it stays silent.
//!
//! Pings of a dialect's own, sent at fixed intervals, are in [`heartbeat`](crate::session::heartbeat).

use std::time::Duration;

use crate::config::SessionConfig;
use crate::presence::time::Timestamp;
use crate::session::heartbeat::HeartbeatEvent;

/// Tracks how long a client has been silent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keepalive {
    /// Silence after which the client is pinged.
    ping_interval: Duration,
    /// Silence after which the client counts as gone. Includes `ping_interval`.
    pong_timeout: Duration,
    /// When the last byte of the client came.
    last_heard: Timestamp,
    /// When the pong is due, while a ping is unanswered. Counted from the ping, not from the silence: while the process
    /// stood still it read nothing from any client.
    pong_due: Option<Timestamp>,
}

impl Keepalive {
    /// Starts at `now`, as if the client had just sent something.
    pub fn new(session: &SessionConfig, now: Timestamp) -> Self {
        Self {
            ping_interval: session.ping_interval.0,
            pong_timeout: session.pong_timeout.0,
            last_heard: now,
            pong_due: None,
        }
    }

    /// Notes that the client sent something.
    pub fn note_activity(&mut self, now: Timestamp) {
        self.last_heard = now;
        self.pong_due = None;
    }

    /// Returns what is due. A ping that is due counts as sent.
    pub fn tick(&mut self, now: Timestamp) -> HeartbeatEvent {
        match self.pong_due {
            Some(due) if due <= now => HeartbeatEvent::Lost,
            None if now >= self.last_heard + self.ping_interval => {
                self.pong_due = Some(now + self.pong_timeout.saturating_sub(self.ping_interval));
                HeartbeatEvent::PingDue
            }
            Some(_) | None => HeartbeatEvent::NothingDue,
        }
    }

    /// Returns the time at which [`Keepalive::tick`] is due next.
    pub fn deadline(&self) -> Timestamp {
        self.pong_due.unwrap_or(self.last_heard + self.ping_interval)
    }
}
