//! Tracks what followers must receive: every state of every user, and the last one that each follower has seen.

use std::collections::HashMap;

use hdrhistogram::Histogram;

use crate::clock;
use crate::wire;

/// Counts what was sent and what arrived.
pub struct DeliveryTracker {
    users: HashMap<u32, User>,
    /// The last state that a client has seen of a user.
    seen: HashMap<(usize, u32), u32>,
    /// Pairs of client and followed user that have not seen the latest state.
    pub behind: u64,
    /// Changes that arrived.
    pub deliveries: u64,
    /// Changes that a later state of the same user replaced.
    pub superseded: u64,
    /// Microseconds from send to arrival.
    pub latency: Histogram<u64>,
}

#[derive(Default)]
struct User {
    /// Grows by one with every change of any kind. 0: the user was never there.
    state: u32,
    /// The latest change was the end of the user's connection.
    gone: bool,
    followers: u32,
    /// Followers that have seen the latest state.
    current: u32,
}

impl DeliveryTracker {
    /// Starts without users.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            users: HashMap::new(),
            seen: HashMap::new(),
            behind: 0,
            deliveries: 0,
            superseded: 0,
            // A minute, three digits.
            latency: Histogram::new_with_bounds(1, 60_000_000, 3)?,
        })
    }

    /// Sets the counts to zero and keeps what followers have seen.
    pub fn reset_counts(&mut self) {
        self.deliveries = 0;
        self.superseded = 0;
        self.latency.reset();
    }

    /// Records that a client follows a user from now on.
    pub fn follow(&mut self, client: usize, user: u32) {
        let followed = self.users.entry(user).or_default();
        if self.seen.insert((client, user), 0).is_some() {
            return;
        }
        followed.followers += 1;
        if followed.state == 0 || followed.gone {
            // The follower knows already that the user is absent.
            self.seen.insert((client, user), followed.state);
            followed.current += 1;
        } else {
            self.behind += 1;
        }
    }

    /// Records a new state of a user and returns the status to send.
    pub fn next_status(&mut self, user: u32) -> String {
        let state = self.change(user, false);
        format!("{user}:{state}:{}", clock::micros())
    }

    /// Records that a user's connection ends.
    pub fn disconnect(&mut self, user: u32) {
        self.change(user, true);
    }

    fn change(&mut self, user: u32, gone: bool) -> u32 {
        let changed = self.users.entry(user).or_default();
        changed.state += 1;
        changed.gone = gone;
        self.behind += u64::from(changed.current);
        changed.current = 0;
        changed.state
    }

    /// Records that a client received a message.
    pub fn receive(&mut self, client: usize, message: &[u8]) {
        let now = clock::micros();
        wire::presences(message, |presence| {
            let Some(user) = self.users.get_mut(&presence.user) else { return };
            let Some(seen) = self.seen.get_mut(&(client, presence.user)) else { return };
            let (state, sent) = match presence.status {
                Some(status) => match parse(status) {
                    Some(parsed) => parsed,
                    None => return,
                },
                None if user.gone => (user.state, now),
                None => return,
            };
            if presence.change {
                self.deliveries += 1;
                if presence.status.is_some() {
                    self.latency.saturating_record(now.saturating_sub(sent));
                }
            }
            if state > *seen {
                if presence.change {
                    self.superseded += u64::from(state - *seen - 1);
                }
                *seen = state;
                if state == user.state {
                    user.current += 1;
                    self.behind -= 1;
                }
            }
        });
    }

    /// Returns the number of changes that neither arrived nor were superseded by one that arrived.
    pub fn missing(&self) -> u64 {
        let missing = self.seen.iter().map(|((_, user), &seen)| {
            let state = self.users.get(user).map_or(0, |user| user.state);
            u64::from(state.saturating_sub(seen))
        });
        missing.sum()
    }
}

/// Reads state and time of `user:state:micros`.
fn parse(status: &[u8]) -> Option<(u32, u64)> {
    let mut parts = std::str::from_utf8(status).ok()?.split(':').skip(1);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An event about user 1 with this status among the `joins` or the `leaves`.
    fn event(list: &str, status: &str) -> Vec<u8> {
        let id = wire::user_id(1);
        let presence = format!(r#"{{"user_id":"{id}","session_id":"{id}","username":"user","status":"{status}"}}"#);
        format!(r#"{{"status_presence_event":{{"{list}":[{presence}]}}}}"#).into_bytes()
    }

    #[test]
    fn a_change_is_missing_until_it_or_a_later_one_arrives() {
        let mut tracker = DeliveryTracker::new().unwrap();
        tracker.follow(0, 1);
        assert_eq!((tracker.behind, tracker.missing()), (0, 0), "an absent user owes nothing");
        let first = tracker.next_status(1);
        let _lost = tracker.next_status(1);
        let third = tracker.next_status(1);
        tracker.receive(0, &event("joins", &first));
        assert_eq!((tracker.behind, tracker.missing(), tracker.superseded), (1, 2, 0));
        tracker.receive(0, &event("joins", &third));
        assert_eq!((tracker.behind, tracker.missing(), tracker.superseded), (0, 0, 1));
        assert_eq!(tracker.deliveries, 2);
    }

    #[test]
    fn an_old_state_after_a_new_one_changes_nothing() {
        let mut tracker = DeliveryTracker::new().unwrap();
        tracker.follow(0, 1);
        let (first, second) = (tracker.next_status(1), tracker.next_status(1));
        tracker.receive(0, &event("joins", &second));
        tracker.receive(0, &event("joins", &first));
        assert_eq!((tracker.behind, tracker.missing()), (0, 0));
    }

    #[test]
    fn every_follower_must_see_the_end_of_a_connection() {
        let mut tracker = DeliveryTracker::new().unwrap();
        tracker.follow(0, 1);
        let status = tracker.next_status(1);
        tracker.receive(0, &event("joins", &status));
        tracker.disconnect(1);
        assert_eq!((tracker.behind, tracker.missing()), (1, 1));
        tracker.receive(0, &event("leaves", &status));
        assert_eq!((tracker.behind, tracker.missing()), (0, 0));
    }
}
