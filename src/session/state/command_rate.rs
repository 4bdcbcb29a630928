//! The rate limit of a session's commands.

use crate::config::LimitsConfig;
use crate::presence::rate::SlidingWindow;
use crate::presence::time::Timestamp;
use crate::session::command::Refusal;

/// Counts the commands of a session in a sliding window.
#[derive(Debug)]
pub(super) struct CommandRate {
    /// Commands allowed in a window.
    limit: usize,
    window: SlidingWindow,
}

impl CommandRate {
    /// Returns the configured limit, or `None` if commands are not limited.
    pub fn new(limits: &LimitsConfig) -> Option<Self> {
        let limit = limits.commands;
        (limit > 0).then(|| Self { limit, window: SlidingWindow::new(limit, limits.commands_window.0) })
    }

    /// Counts a command. Returns the refusal if the window is full.
    pub fn count(&mut self, now: Timestamp) -> Result<(), Refusal> {
        self.window
            .try_acquire(now)
            .map_err(|free_at| Refusal::RateLimited { limit: self.limit, retry_after: free_at.since(now) })
    }
}
