//! Wrong passwords, counted for each client and account.

use std::time::Duration;

use hashbrown::HashMap;

use crate::auth::client_network::ClientNetwork;
use crate::presence::id::UserId;
use crate::presence::rate::SlidingWindow;
use crate::presence::time::Timestamp;

/// Maximum number of windows in one of the two maps.
const MAX_REMEMBERED: usize = 50_000;

/// A client that guesses the password of an account. Guesses of other clients do not count, so that nobody can lock a
/// user out.
pub type Guesser = (ClientNetwork, UserId);

/// The recent failures of all guessers. Memory is bounded: when the newer map is full, it becomes the older one, and the
/// older one is forgotten. No failure scans a map.
pub struct Failures {
    limit: usize,
    window: Duration,
    newer: HashMap<Guesser, SlidingWindow>,
    older: HashMap<Guesser, SlidingWindow>,
}

impl Failures {
    /// Makes an empty record, for at most `limit` failures in a window.
    pub fn new(limit: usize, window: Duration) -> Self {
        Self { limit, window, newer: HashMap::new(), older: HashMap::new() }
    }

    /// Returns how long a guesser must wait for the next guess. `None` means not at all.
    pub fn wait(&mut self, guesser: &Guesser, now: Timestamp) -> Option<Duration> {
        let window = match self.newer.get_mut(guesser) {
            Some(window) => window,
            None => self.older.get_mut(guesser)?,
        };
        window.full_until(now).map(|until| until.since(now))
    }

    /// Counts a failure.
    pub fn count(&mut self, guesser: Guesser, now: Timestamp) {
        if self.newer.len() >= MAX_REMEMBERED {
            self.older = std::mem::take(&mut self.newer);
        }
        let window = match self.older.remove(&guesser) {
            Some(window) => self.newer.entry(guesser).or_insert(window),
            None => self.newer.entry(guesser).or_insert_with(|| SlidingWindow::new(self.limit, self.window)),
        };
        // A guess that ran beside the last allowed one does not fit, and need not.
        let _full = window.try_acquire(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_own_failures_count_and_memory_is_bounded() {
        let mut failures = Failures::new(2, Duration::from_secs(60));
        let at = Timestamp::from_secs;
        let client = |number: u8| ClientNetwork::new(Some([192, 0, 2, number].into()));
        let (alice, bob) = (UserId::from_name("alice"), UserId::from_name("bob"));
        for second in [10, 20, 20] {
            failures.count((client(1), alice), at(second));
        }
        assert_eq!(failures.wait(&(client(1), alice), at(30)), Some(Duration::from_secs(40)));
        assert_eq!(failures.wait(&(client(2), alice), at(30)), None);
        assert_eq!(failures.wait(&(client(1), bob), at(30)), None);
        for number in 0..MAX_REMEMBERED {
            failures.count((client(3), UserId::from_name(&format!("user-{number}"))), at(30));
        }
        assert!(failures.wait(&(client(1), alice), at(30)).is_some(), "still in the older map");
        for number in 0..3 * MAX_REMEMBERED {
            failures.count((client(4), UserId::from_name(&format!("user-{number}"))), at(30));
        }
        failures.count((client(5), alice), at(40));
        assert_eq!(failures.wait(&(client(5), alice), at(100)), None);
        assert!(failures.newer.len() <= MAX_REMEMBERED && failures.older.len() <= MAX_REMEMBERED);
    }
}
