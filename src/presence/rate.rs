//! A rate limit over a sliding window.

use std::collections::VecDeque;
use std::time::Duration;

use super::time::Timestamp;

/// Allows exactly `limit` uses in any span of `window`. Unlike a refilled bucket it never allows twice as many at first.
///
/// Keeps the times of the last `limit` uses. Allocates nothing before the first use.
#[derive(Clone, Debug)]
pub struct SlidingWindow {
    limit: usize,
    window: Duration,
    /// Oldest first.
    taken: VecDeque<Timestamp>,
}

impl SlidingWindow {
    /// Creates an unused window.
    pub const fn new(limit: usize, window: Duration) -> Self {
        Self { limit, window, taken: VecDeque::new() }
    }

    /// Counts one use, or returns when the next is allowed. A refused use does not count.
    pub fn try_acquire(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        self.forget(now);
        if self.taken.len() < self.limit {
            self.taken.push_back(now);
            return Ok(());
        }
        Err(self.taken.front().map_or(now, |&oldest| oldest + self.window))
    }

    /// Returns when the next use is allowed. `None` means now.
    pub fn full_until(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.forget(now);
        let oldest = self.taken.front().filter(|_| self.taken.len() >= self.limit);
        oldest.map(|&oldest| oldest + self.window)
    }

    /// Returns whether no use counts at the moment.
    pub fn is_idle(&mut self, now: Timestamp) -> bool {
        self.forget(now);
        self.taken.is_empty()
    }

    fn forget(&mut self, now: Timestamp) {
        while self.taken.front().is_some_and(|&oldest| oldest + self.window <= now) {
            self.taken.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_next_is_taken_when_the_oldest_leaves_the_window() {
        let mut window = SlidingWindow::new(2, Duration::from_secs(5));
        assert_eq!(window.try_acquire(Timestamp::from_secs(10)), Ok(()));
        assert_eq!(window.try_acquire(Timestamp::from_secs(12)), Ok(()));
        assert_eq!(window.try_acquire(Timestamp::from_secs(14)), Err(Timestamp::from_secs(15)));
        assert_eq!(window.try_acquire(Timestamp::from_secs(15)), Ok(()));
        assert_eq!(window.try_acquire(Timestamp::from_secs(16)), Err(Timestamp::from_secs(17)));
        assert_eq!(window.full_until(Timestamp::from_secs(16)), Some(Timestamp::from_secs(17)));
        assert_eq!(window.full_until(Timestamp::from_secs(17)), None);
        assert!(!window.is_idle(Timestamp::from_secs(19)));
        assert!(window.is_idle(Timestamp::from_secs(20)));
    }

    proptest! {
        #[test]
        fn no_span_of_the_window_has_more_than_the_limit(
            gaps in prop::collection::vec(0..4_u64, 1..200),
            limit in 1..6_usize,
            span in 1..10_u64,
        ) {
            let mut window = SlidingWindow::new(limit, Duration::from_secs(span));
            let mut taken: Vec<u64> = Vec::new();
            let mut now = 0;
            for gap in gaps {
                now += gap;
                let counted: Vec<u64> = taken.iter().copied().filter(|&at| at + span > now).collect();
                match window.try_acquire(Timestamp::from_secs(now)) {
                    Ok(()) => {
                        prop_assert!(counted.len() < limit, "the naive count refuses");
                        taken.push(now);
                    }
                    Err(again) => {
                        prop_assert_eq!(counted.len(), limit, "the naive count allows");
                        prop_assert_eq!(again, Timestamp::from_secs(counted[0] + span));
                    }
                }
            }
        }
    }
}
