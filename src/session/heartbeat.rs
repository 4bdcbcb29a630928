//! Pings by the clock, each of which the client has to answer: Centrifugo's way. Silence alone proves nothing here, and
//! neither does other traffic.

use std::time::Duration;

use crate::presence::time::Timestamp;

/// When to ping, and whether the last ping was answered.
#[derive(Clone, Copy, Debug)]
pub struct Heartbeat {
    interval: Duration,
    timeout: Duration,
    /// Of the next ping.
    next: Timestamp,
    /// Until when the last ping is to be answered.
    answer_until: Option<Timestamp>,
}

/// What a pulse has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeartbeatEvent {
    /// Nothing is due.
    Calm,
    /// Ping.
    Due,
    /// The last ping was not answered.
    Lost,
}

impl Heartbeat {
    /// A ping every `interval`, the first after `first`, each to be answered within `timeout`, which is shorter.
    pub fn new(first: Duration, interval: Duration, timeout: Duration, now: Timestamp) -> Self {
        Self { interval, timeout, next: now + first, answer_until: None }
    }

    /// What is due; a ping that is due counts as sent.
    pub fn tick(&mut self, now: Timestamp) -> HeartbeatEvent {
        if self.answer_until.is_some_and(|until| until <= now) {
            return HeartbeatEvent::Lost;
        }
        if now < self.next {
            return HeartbeatEvent::Calm;
        }
        self.next = now + self.interval;
        self.answer_until = Some(now + self.timeout);
        HeartbeatEvent::Due
    }

    /// The client answered. False: nobody asked.
    pub fn answered(&mut self) -> bool {
        self.answer_until.take().is_some()
    }

    /// When [`Heartbeat::tick`] is due next.
    pub fn deadline(&self) -> Timestamp {
        self.answer_until.map_or(self.next, |until| until.min(self.next))
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
    fn pings_go_by_the_clock_as_long_as_they_are_answered() {
        let mut heartbeat = heartbeat();
        assert_eq!((heartbeat.deadline(), heartbeat.tick(at(12))), (at(13), HeartbeatEvent::Calm));
        assert_eq!((heartbeat.tick(at(13)), heartbeat.deadline()), (HeartbeatEvent::Due, at(21)));
        assert!(heartbeat.answered());
        assert_eq!(
            (heartbeat.deadline(), heartbeat.tick(at(37)), heartbeat.tick(at(38))),
            (at(38), HeartbeatEvent::Calm, HeartbeatEvent::Due)
        );
    }

    #[test]
    fn a_ping_without_an_answer_is_the_last() {
        let mut heartbeat = heartbeat();
        assert_eq!(
            [heartbeat.tick(at(13)), heartbeat.tick(at(20)), heartbeat.tick(at(21))],
            [HeartbeatEvent::Due, HeartbeatEvent::Calm, HeartbeatEvent::Lost]
        );
    }

    #[test]
    fn an_answer_counts_once_and_only_after_a_ping() {
        let mut heartbeat = heartbeat();
        assert!(!heartbeat.answered());
        heartbeat.tick(at(13));
        assert!(heartbeat.answered() && !heartbeat.answered());
    }
}
