//! The generator's clock: microseconds from its start.

use std::sync::OnceLock;
use std::time::Instant;

static START: OnceLock<Instant> = OnceLock::new();

/// Returns the microseconds from the first call.
#[expect(clippy::disallowed_methods, reason = "the generator has no other clock")]
pub fn micros() -> u64 {
    let start = START.get_or_init(Instant::now);
    u64::try_from(start.elapsed().as_micros()).unwrap_or(u64::MAX)
}

/// Returns the seconds from the first call.
pub fn seconds() -> f64 {
    std::time::Duration::from_micros(micros()).as_secs_f64()
}

/// Returns the time of day, which tokens carry.
#[expect(clippy::disallowed_methods, reason = "the generator has no other clock")]
pub fn unix_seconds() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
