//! The status text of a connection, and the version of a user's state.

use std::fmt;
use std::sync::Arc;

use super::time::Timestamp;

/// The text is longer than [`StatusText::MAX_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a status has at most 2048 bytes")]
pub struct StatusTooLong;

/// The status text of one connection: at most 2048 bytes of UTF-8 (Nakama's limit), any characters, possibly empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusText(Arc<str>);

impl StatusText {
    /// Maximum length in bytes of UTF-8.
    pub const MAX_BYTES: usize = 2048;

    /// Checks the length of a text.
    pub fn new(text: &str) -> Result<Self, StatusTooLong> {
        if text.len() > Self::MAX_BYTES {
            return Err(StatusTooLong);
        }
        Ok(Self(text.into()))
    }

    /// Returns the empty text: visible without a text.
    pub fn empty() -> Self {
        Self("".into())
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Status texts are personal data: debug output shows only the length.
impl fmt::Debug for StatusText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if cfg!(test) {
            return fmt::Debug::fmt(&self.0, formatter);
        }
        write!(formatter, "({} bytes)", self.0.len())
    }
}

/// Orders the states of one user. A version only grows, even after the user's actor retires and starts again, because it is at
/// least the time of its change in microseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u64);

impl Version {
    /// Returns the version of a change that follows this one at time `now`.
    #[must_use]
    pub fn next(self, now: Timestamp) -> Self {
        Self(now.as_micros().max(self.0.saturating_add(1)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_measured_in_bytes() {
        assert!(StatusText::new(&"é".repeat(1024)).is_ok());
        assert_eq!(StatusText::new(&"é".repeat(1025)), Err(StatusTooLong));
    }

    #[test]
    fn a_version_grows_even_when_the_clock_goes_back() {
        let first = Version::default().next(Timestamp::from_secs(100));
        let second = first.next(Timestamp::from_secs(50));
        assert!(second > first);
        assert!(Version::default().next(Timestamp::from_secs(101)) > second);
    }
}
