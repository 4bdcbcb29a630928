//! Who is owed what: every state that a user has shown, and the last one that each of its followers has seen.

use std::collections::HashMap;

use hdrhistogram::Histogram;

use crate::clock;
use crate::wire;

/// Keeps count of what was sent and what came.
pub struct Ledger {
    users: HashMap<u32, User>,
    /// By client and user followed: the last state seen.
    seen: HashMap<(usize, u32), u32>,
    /// Pairs of client and followed user that have not seen the latest state.
    pub behind: u64,
    /// Changes that came.
    pub deliveries: u64,
    /// Changes that a later state of the same user came instead of.
    pub superseded: u64,
    /// From sending to hearing, microseconds.
    pub latency: Histogram<u64>,
}

#[derive(Default)]
struct User {
    /// Grows by one with every change, whatever it is. 0: never seen.
    state: u32,
    /// The latest change is that it has gone.
    gone: bool,
    followers: u32,
    /// Followers that have seen the latest state.
    current: u32,
}

impl Ledger {
    /// Nobody has shown anything.
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

    /// Forgets what was counted, not what was seen.
    pub fn restart(&mut self) {
        self.deliveries = 0;
        self.superseded = 0;
        self.latency.reset();
    }

    /// A client follows a user from here on.
    pub fn follows(&mut self, client: usize, user: u32) {
        let shown = self.users.entry(user).or_default();
        if self.seen.insert((client, user), 0).is_some() {
            return;
        }
        shown.followers += 1;
        if shown.state == 0 || shown.gone {
            // Absent is what it has seen.
            self.seen.insert((client, user), shown.state);
            shown.current += 1;
        } else {
            self.behind += 1;
        }
    }

    /// A user shows something new: the status to send.
    pub fn shows(&mut self, user: u32) -> String {
        let state = self.changes(user, false);
        format!("{user}:{state}:{}", clock::micros())
    }

    /// A user goes.
    pub fn goes(&mut self, user: u32) {
        self.changes(user, true);
    }

    fn changes(&mut self, user: u32, gone: bool) -> u32 {
        let shown = self.users.entry(user).or_default();
        shown.state += 1;
        shown.gone = gone;
        self.behind += u64::from(shown.current);
        shown.current = 0;
        shown.state
    }

    /// A client heard a message.
    pub fn heard(&mut self, client: usize, message: &[u8]) {
        let now = clock::micros();
        wire::presences(message, |said| {
            let Some(shown) = self.users.get_mut(&said.user) else { return };
            let Some(seen) = self.seen.get_mut(&(client, said.user)) else { return };
            let (state, sent) = match said.status {
                Some(status) => match parse(status) {
                    Some(parsed) => parsed,
                    None => return,
                },
                None if shown.gone => (shown.state, now),
                None => return,
            };
            if said.change {
                self.deliveries += 1;
                if said.status.is_some() {
                    self.latency.saturating_record(now.saturating_sub(sent));
                }
            }
            if state > *seen {
                if said.change {
                    self.superseded += u64::from(state - *seen - 1);
                }
                *seen = state;
                if state == shown.state {
                    shown.current += 1;
                    self.behind -= 1;
                }
            }
        });
    }

    /// Changes that are owed still: nothing newer of the user has come either.
    pub fn owed(&self) -> u64 {
        let behind = self.seen.iter().map(|((_, user), &seen)| {
            let state = self.users.get(user).map_or(0, |shown| shown.state);
            u64::from(state.saturating_sub(seen))
        });
        behind.sum()
    }
}

/// `user:state:micros`.
fn parse(status: &[u8]) -> Option<(u32, u64)> {
    let mut parts = std::str::from_utf8(status).ok()?.split(':').skip(1);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
