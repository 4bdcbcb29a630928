//! Points in time. The domain takes them as arguments and reads no clock.

use std::time::Duration;

const MICROS_PER_SEC: u64 = 1_000_000;

/// Microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// Returns the point this many microseconds after the epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Returns the point this many whole seconds after the epoch. Beyond the year 586,000 it is the last whole second, so
    /// that a stored time is read as it was written.
    pub const fn from_secs(secs: u64) -> Self {
        const MAX_SECS: u64 = u64::MAX / MICROS_PER_SEC;
        let secs = if secs < MAX_SECS { secs } else { MAX_SECS };
        Self(secs * MICROS_PER_SEC)
    }

    /// Returns the microseconds since the epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Returns the whole seconds since the epoch, rounded down.
    pub const fn as_secs(self) -> u64 {
        self.0 / MICROS_PER_SEC
    }

    /// Returns the duration from `earlier` to this point, or zero if `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_seconds_are_read_as_they_are_written_also_beyond_the_end_of_time() {
        for secs in [0, 1, 1_795_220_273, u64::MAX / MICROS_PER_SEC, u64::MAX / MICROS_PER_SEC + 1, u64::MAX] {
            let time = Timestamp::from_secs(secs);
            assert_eq!(time.as_micros() % MICROS_PER_SEC, 0, "{secs}");
            assert_eq!(Timestamp::from_secs(time.as_secs()), time, "{secs}");
        }
    }
}
