//! The only reader of time. Tests set the time by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::presence::time::Timestamp;

/// Returns the time of the machine or of a test.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    /// The time of day at the start of the server, and the instant from which elapsed time is measured.
    System(Timestamp, Instant),
    /// Microseconds, set by a test.
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// Returns the clock of the machine.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads time")]
    pub fn system() -> Self {
        Self(Source::System(time_of_day(), Instant::now()))
    }

    /// Returns a clock that stands still until [`Clock::advance`] moves it. Its clones move with it.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicU64::new(start.as_micros()))))
    }

    /// Returns the time for deadlines and counts. It runs evenly from the start of the server, also when the time of
    /// day of the machine is changed.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System(start, measure) => *start + measure.elapsed(),
            Source::Manual(micros) => Timestamp::from_micros(micros.load(Ordering::Relaxed)),
        }
    }

    /// Returns the time of day, for times that other parties have written or will read: tokens, accounts.
    pub fn time_of_day(&self) -> Timestamp {
        match &self.0 {
            Source::System(..) => time_of_day(),
            Source::Manual(micros) => Timestamp::from_micros(micros.load(Ordering::Relaxed)),
        }
    }

    /// Moves a manual clock forward. Does nothing to the clock of the machine.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(micros) = &self.0 {
            let by = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
            micros.fetch_add(by, Ordering::Relaxed);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that reads time")]
fn time_of_day() -> Timestamp {
    let since_epoch = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    Timestamp::from_micros(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_by_hand_and_with_its_clones() {
        let clock = Clock::manual(Timestamp::from_secs(100));
        let twin = clock.clone();
        assert_eq!(clock.now(), Timestamp::from_secs(100));
        twin.advance(Duration::from_secs(2));
        assert_eq!(clock.now(), Timestamp::from_secs(102));
    }
}
