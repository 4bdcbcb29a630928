//! The activities that wait for a writer, and the callers that wait until they are written.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::TooManyWaiting;
use super::waiting::{Activities, WaitingActivities};
use crate::metrics::LastSeenMetrics;
use crate::presence::id::UserId;
use crate::presence::last_seen::Activity;
use crate::store::StoreError;

/// A caller that waits for the result of a write.
pub type Waiter = oneshot::Sender<Result<(), StoreError>>;

/// The activities that wait to be written. [`super::waiting`] has the bounds.
#[derive(Debug, Default)]
pub struct ActivityInbox {
    waiting: WaitingActivities,
    /// The callers to notify after the next write.
    waiters: Vec<Waiter>,
    closed: bool,
}

/// The activities of one write.
pub struct ActivityBatch {
    pub activities: Arc<Activities>,
    pub waiters: Vec<Waiter>,
    /// The inbox is closed, so this is the last batch.
    pub is_last: bool,
}

impl ActivityInbox {
    /// Takes in activities, unless the inbox is closed or full. Refused activities are counted.
    pub fn note(
        &mut self,
        activities: &mut dyn Iterator<Item = (UserId, Activity)>,
        metrics: &LastSeenMetrics,
    ) -> Result<(), TooManyWaiting> {
        let refused = activities.filter_map(|(user, activity)| {
            let taken = !self.closed && self.waiting.add(user, activity);
            (!taken).then_some(())
        });
        let refused = refused.count() as u64;
        self.count(metrics);
        metrics.refused.inc_by(refused);
        if refused > 0 { Err(TooManyWaiting) } else { Ok(()) }
    }

    /// Takes in that these users are forgotten. The receiver gets the result of the write.
    pub fn forget(&mut self, users: Vec<UserId>) -> Result<oneshot::Receiver<Result<(), StoreError>>, StoreError> {
        if self.closed {
            return Err(StoreError::Closed);
        }
        if !users.into_iter().all(|user| self.waiting.add(user, Activity::forgotten())) {
            return Err(StoreError::Busy);
        }
        Ok(self.wait())
    }

    /// Refuses everything from now on. The receiver gets the result of the last write. `None` means that the inbox was
    /// already closed.
    pub fn close(&mut self) -> Option<oneshot::Receiver<Result<(), StoreError>>> {
        let first = !std::mem::replace(&mut self.closed, true);
        first.then(|| self.wait())
    }

    fn wait(&mut self) -> oneshot::Receiver<Result<(), StoreError>> {
        let (waiter, result) = oneshot::channel();
        self.waiters.push(waiter);
        result
    }

    /// Returns the waiting activity of a user: (the one being written, the one after it).
    pub fn of(&self, user: UserId) -> (Option<Activity>, Option<Activity>) {
        self.waiting.of(user)
    }

    /// Returns whether a caller waits for the next write.
    pub fn is_urgent(&self) -> bool {
        self.closed || !self.waiters.is_empty()
    }

    /// Begins a write of everything that waits.
    pub fn begin(&mut self) -> ActivityBatch {
        let waiters = std::mem::take(&mut self.waiters);
        ActivityBatch { activities: self.waiting.begin(), waiters, is_last: self.closed }
    }

    /// Ends a successful write.
    pub fn end(&mut self, metrics: &LastSeenMetrics) {
        self.waiting.end();
        self.count(metrics);
    }

    fn count(&self, metrics: &LastSeenMetrics) {
        metrics.waiting.set(i64::try_from(self.waiting.len()).unwrap_or(i64::MAX));
    }
}

/// Waits for the result of a write.
pub async fn written(result: oneshot::Receiver<Result<(), StoreError>>) -> Result<(), StoreError> {
    result.await.map_err(|_| StoreError::Closed)?
}

/// Sends the result of a write to the callers that wait for it.
pub fn notify(waiters: Vec<Waiter>, result: &Result<(), StoreError>) {
    for waiter in waiters {
        // The caller may be gone. The write stays.
        let _caller_gone = waiter.send(result.clone());
    }
}
