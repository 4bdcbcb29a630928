//! How often an account may call what costs, over all its devices.

use std::time::Duration;

use super::rate::SlidingWindow;
use super::time::Timestamp;

/// The calls that are counted, each by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Asking for the statuses of others.
    Query,
    /// Subscribing.
    Subscribe,
    /// Ending subscriptions.
    Unsubscribe,
}

impl Call {
    /// How it is called where nodes count it together.
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
        }
    }
}

/// A call came too soon. It does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooOften {
    /// The calls allowed in a window; that many have been made.
    pub limit: usize,
    /// When the next is taken.
    pub again: Timestamp,
}

/// The calls of one account.
#[derive(Clone, Debug)]
pub struct Calls {
    limit: usize,
    /// One for each [`Call`].
    windows: [SlidingWindow; 3],
}

impl Calls {
    /// None yet, of at most `limit` of each kind in any span of `window`.
    pub fn new(limit: usize, window: Duration) -> Self {
        Self { limit, windows: std::array::from_fn(|_| SlidingWindow::new(limit, window)) }
    }

    /// Counts one, or refuses it.
    pub fn take(&mut self, call: Call, now: Timestamp) -> Result<(), TooOften> {
        let limit = self.limit;
        self.windows[call as usize].try_acquire(now).map_err(|again| TooOften { limit, again })
    }

    /// Whether none counts at the moment.
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
