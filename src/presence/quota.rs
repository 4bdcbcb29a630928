//! Limits on how many things may be held at once.

/// A limit on a number of things held at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    limit: usize,
}

/// A request exceeds the quota. Nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("limit of {limit} reached: {held} held, {asked} more asked for")]
pub struct QuotaExceeded {
    /// Maximum that may be held.
    pub limit: usize,
    /// What is held already.
    pub held: usize,
    /// What was requested in addition.
    pub asked: usize,
}

impl Quota {
    /// Creates a quota of `limit`.
    pub const fn new(limit: usize) -> Self {
        Self { limit }
    }

    /// Returns the maximum that may be held.
    pub const fn limit(self) -> usize {
        self.limit
    }

    /// Checks whether `asked` more fit in addition to `held`: all or none.
    pub fn check(self, held: usize, asked: usize) -> Result<(), QuotaExceeded> {
        if held.saturating_add(asked) > self.limit {
            return Err(QuotaExceeded { limit: self.limit, held, asked });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_is_all_or_nothing() {
        let quota = Quota::new(3);
        assert_eq!(quota.check(1, 2), Ok(()));
        assert_eq!(quota.check(2, 2), Err(QuotaExceeded { limit: 3, held: 2, asked: 2 }));
        assert!(quota.check(usize::MAX, 1).is_err());
    }
}
