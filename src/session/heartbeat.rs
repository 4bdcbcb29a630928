//! Heartbeat by pings of a dialect's own, as Centrifugo sends them: one at each interval, and each needs a pong.
//!
//! Silence alone proves nothing here, and neither does other traffic. Keepalive by WebSocket pings, which only silent
//! clients get, is in [`state::keepalive`](super::state).

use std::time::Duration;

use crate::presence::time::Timestamp;

/// Tracks when to ping, and whether the client answered the last ping.
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat {
    /// Time between two pings.
    interval: Duration,
    /// Time for a pong.
    timeout: Duration,
    /// When the next ping is due.
    next_ping: Timestamp,
    /// When the pong is due, while a ping is unanswered.
    pong_due: Option<Timestamp>,
}

/// What is due at a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeartbeatEvent {
    /// Nothing is due.
    NothingDue,
    /// A ping is due.
    PingDue,
    /// The client did not answer the last ping.
    Lost,
}

impl Heartbeat {
    /// Pings every `interval`, first after `first`. The client has to answer within `timeout`, which is shorter.
    pub fn new(first: Duration, interval: Duration, timeout: Duration, now: Timestamp) -> Self {
        Self { interval, timeout, next_ping: now + first, pong_due: None }
    }

    /// Returns what is due. A ping that is due counts as sent.
    pub fn tick(&mut self, now: Timestamp) -> HeartbeatEvent {
        if self.pong_due.is_some_and(|due| due <= now) {
            return HeartbeatEvent::Lost;
        }
        if now < self.next_ping {
            return HeartbeatEvent::NothingDue;
        }
        self.next_ping = now + self.interval;
        self.pong_due = Some(now + self.timeout);
        HeartbeatEvent::PingDue
    }

    /// Takes the client's pong. Returns `false` if no ping waits for one.
    pub fn accept_pong(&mut self) -> bool {
        self.pong_due.take().is_some()
    }

    /// Returns the time at which [`Heartbeat::tick`] is due next.
    pub fn deadline(&self) -> Timestamp {
        self.pong_due.map_or(self.next_ping, |due| due.min(self.next_ping))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(1000 + secs)
    }

    fn heartbeat() -> Heartbeat {
        let [first, interval, timeout] = [13, 25, 8].map(Duration::from_secs);
        Heartbeat::new(first, interval, timeout, at(0))
    }

    #[test]
    fn answered_pings_are_sent_at_fixed_intervals() {
        let mut heartbeat = heartbeat();
        assert_eq!((heartbeat.deadline(), heartbeat.tick(at(12))), (at(13), HeartbeatEvent::NothingDue));
        assert_eq!((heartbeat.tick(at(13)), heartbeat.deadline()), (HeartbeatEvent::PingDue, at(21)));
        assert!(heartbeat.accept_pong());
        assert_eq!(
            (heartbeat.deadline(), heartbeat.tick(at(37)), heartbeat.tick(at(38))),
            (at(38), HeartbeatEvent::NothingDue, HeartbeatEvent::PingDue)
        );
    }

    #[test]
    fn an_unanswered_ping_is_a_lost_connection() {
        let mut heartbeat = heartbeat();
        assert_eq!(
            [heartbeat.tick(at(13)), heartbeat.tick(at(20)), heartbeat.tick(at(21))],
            [HeartbeatEvent::PingDue, HeartbeatEvent::NothingDue, HeartbeatEvent::Lost]
        );
    }

    #[test]
    fn a_pong_counts_once_and_only_after_a_ping() {
        let mut heartbeat = heartbeat();
        assert!(!heartbeat.accept_pong());
        heartbeat.tick(at(13));
        assert!(heartbeat.accept_pong() && !heartbeat.accept_pong());
    }
}
