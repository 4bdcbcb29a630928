//! The only reader of time. Tests set it by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::presence::time::Timestamp;

/// Tells the time: the machine's, or a test's.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    /// The time of day at the start, and what measures from there.
    System(Timestamp, Instant),
    Manual(Arc<AtomicU64>),
}

impl Clock {
    /// The machine's clock.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads time")]
    pub fn system() -> Self {
        Self(Source::System(time_of_day(), Instant::now()))
    }

    /// A clock that stands still until [`Clock::advance`] moves it; its clones move with it.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicU64::new(start.as_micros()))))
    }

    /// The time now, for everything that waits or counts: runs evenly from the start of the server, whatever happens to
    /// the machine's time of day.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System(start, measure) => *start + measure.elapsed(),
            Source::Manual(micros) => Timestamp::from_micros(micros.load(Ordering::Relaxed)),
        }
    }

    /// The time of day, for what others have dated or will read: tokens, accounts.
    pub fn time_of_day(&self) -> Timestamp {
        match &self.0 {
            Source::System(..) => time_of_day(),
            Source::Manual(micros) => Timestamp::from_micros(micros.load(Ordering::Relaxed)),
        }
    }

    /// Moves a manual clock on; the machine's clock cannot be moved and stays as it is.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(micros) = &self.0 {
            let by = u64::try_from(by.as_micros()).unwrap_or(u64::MAX);
            micros.fetch_add(by, Ordering::Relaxed);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads time")]
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
