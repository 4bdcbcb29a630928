//! A rate limit for log lines that clients can cause: one line for each kind in an interval, with the number of those
//! left out.

use std::hash::Hash;
use std::time::Duration;

use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::presence::time::Timestamp;

/// Minimum time between two lines about refused clients and requests.
pub const REFUSAL_INTERVAL: Duration = Duration::from_secs(10);

/// Limits lines by their kind `K`. There must be few kinds, and none may come from a client: each takes memory until the end.
#[derive(Debug)]
pub struct LogLimit<K> {
    /// Minimum time between two lines of one kind.
    interval: Duration,
    kinds: Mutex<HashMap<K, Kind>>,
}

#[derive(Debug, Default)]
struct Kind {
    /// When the next line may be written.
    next: Timestamp,
    /// Lines left out after the last one that was written.
    left_out: u64,
}

impl<K: Eq + Hash> LogLimit<K> {
    /// Allows one line of each kind in any span of `interval`.
    pub fn new(interval: Duration) -> Self {
        Self { interval, kinds: Mutex::default() }
    }

    /// Counts a line. Returns the number of lines left out before it if it may be written, and `None` otherwise.
    pub fn admit(&self, kind: K, now: Timestamp) -> Option<u64> {
        let mut kinds = self.kinds.lock();
        let kind = kinds.entry(kind).or_default();
        if now < kind.next {
            kind.left_out += 1;
            return None;
        }
        kind.next = now + self.interval;
        Some(std::mem::take(&mut kind.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_one_line_in_an_interval_and_counts_the_others() {
        let limit = LogLimit::new(Duration::from_secs(10));
        let at = |secs: u64| Timestamp::from_secs(1000 + secs);
        assert_eq!(limit.admit("a", at(0)), Some(0));
        assert_eq!([limit.admit("a", at(1)), limit.admit("a", at(9))], [None, None]);
        assert_eq!(limit.admit("b", at(9)), Some(0), "another kind");
        assert_eq!(limit.admit("a", at(10)), Some(2));
        assert_eq!(limit.admit("a", at(19)), None);
        assert_eq!(limit.admit("a", at(60)), Some(1));
    }
}
