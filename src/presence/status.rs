//! What a connection says about itself, and the version of what a user shows.

use std::fmt;
use std::sync::Arc;

use super::time::Timestamp;

/// The text is longer than [`StatusText::MAX_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a status has at most 2048 bytes")]
pub struct StatusTooLong;

/// The text of one connection's status: at most 2048 bytes of UTF-8 (Nakama's limit), any characters, may be empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatusText(Arc<str>);

impl StatusText {
    /// The longest status, in bytes of UTF-8.
    pub const MAX_BYTES: usize = 2048;

    /// Checks a text's length.
    pub fn new(text: &str) -> Result<Self, StatusTooLong> {
        if text.len() > Self::MAX_BYTES {
            return Err(StatusTooLong);
        }
        Ok(Self(text.into()))
    }

    /// "Here, nothing to say."
    pub fn empty() -> Self {
        Self("".into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Status texts are personal: a debug print shows the length only.
impl fmt::Debug for StatusText {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if cfg!(test) {
            return fmt::Debug::fmt(&self.0, formatter);
        }
        write!(formatter, "({} bytes)", self.0.len())
    }
}

/// Orders the states of one user. It only grows, also across a user's retirement: it is at least the microseconds since
/// the epoch of its change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(u64);

impl Version {
    /// The version of a change that happens `now`, after this one.
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
