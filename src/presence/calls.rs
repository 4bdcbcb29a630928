//! Rate limits of a member's expensive calls, over all its devices.

use std::time::Duration;

use super::rate::SlidingWindow;
use super::time::Timestamp;

/// The kinds of calls that are counted, each separately.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Queries the statuses of other users.
    Query,
    /// Subscribes to users.
    Subscribe,
    /// Ends subscriptions.
    Unsubscribe,
}

impl Call {
    /// Returns the name under which nodes count it together.
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
        }
    }
}

/// A call exceeds the rate limit. It does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOften {
    /// Number of calls allowed in a window, all of which are used.
    pub limit: usize,
    /// When the next call is allowed.
    pub again: Timestamp,
}

/// The calls of one member.
#[derive(Clone, Debug)]
pub struct Calls {
    limit: usize,
    /// One window for each [`Call`].
    windows: [SlidingWindow; 3],
}

impl Calls {
    /// Creates an unused limit of `limit` calls of each kind in any span of `window`.
    pub fn new(limit: usize, window: Duration) -> Self {
        Self { limit, windows: std::array::from_fn(|_| SlidingWindow::new(limit, window)) }
    }

    /// Counts a call, or refuses it.
    pub fn take(&mut self, call: Call, now: Timestamp) -> Result<(), TooOften> {
        let limit = self.limit;
        self.windows[call as usize].try_acquire(now).map_err(|again| TooOften { limit, again })
    }

    /// Returns whether no call counts at the moment.
    pub fn is_idle(&mut self, now: Timestamp) -> bool {
        self.windows.iter_mut().all(|window| window.is_idle(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_counted_by_itself() {
        let mut calls = Calls::new(2, Duration::from_secs(5));
        let at = |secs: u64| Timestamp::from_secs(1000 + secs);
        assert!(calls.is_idle(at(0)));
        assert_eq!(calls.take(Call::Query, at(0)), Ok(()));
        assert_eq!(calls.take(Call::Query, at(1)), Ok(()));
        assert_eq!(calls.take(Call::Query, at(2)), Err(TooOften { limit: 2, again: at(5) }));
        assert_eq!(calls.take(Call::Subscribe, at(2)), Ok(()));
        assert_eq!(calls.take(Call::Unsubscribe, at(2)), Ok(()));
        assert_eq!(calls.take(Call::Query, at(5)), Ok(()));
        assert!(!calls.is_idle(at(9)));
        assert!(calls.is_idle(at(10)));
    }
}
