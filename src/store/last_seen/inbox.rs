//! Sightings on their way to a writer, and who waits until they have arrived.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::TooManyWaiting;
use super::waiting::{Activities, Waiting};
use crate::metrics::LastSeenMetrics;
use crate::presence::id::UserId;
use crate::presence::last_seen::Activity;
use crate::store::StoreError;

/// Who wants to know how a write went.
pub type Asker = oneshot::Sender<Result<(), StoreError>>;

/// What a writer is to write.
#[derive(Debug, Default)]
pub struct Inbox {
    waiting: Waiting,
    /// Who wants to know when what waits is written.
    asking: Vec<Asker>,
    closed: bool,
}

/// What is to be written in one go.
pub struct Batch {
    pub sightings: Arc<Activities>,
    pub asking: Vec<Asker>,
    /// It is the last one.
    pub closed: bool,
}

impl Inbox {
    /// Takes sightings in, unless it is closed or full; refusals are counted.
    pub fn note(
        &mut self,
        sightings: &mut dyn Iterator<Item = (UserId, Activity)>,
        metrics: &LastSeenMetrics,
    ) -> Result<(), TooManyWaiting> {
        let refused = sightings.filter_map(|(user, sighting)| {
            let taken = !self.closed && self.waiting.add(user, sighting);
            (!taken).then_some(())
        });
        let refused = refused.count() as u64;
        self.count(metrics);
        metrics.refused.inc_by(refused);
        if refused > 0 { Err(TooManyWaiting) } else { Ok(()) }
    }

    /// Has these users forgotten; the answer comes when that is written.
    pub fn forget(&mut self, users: Vec<UserId>) -> Result<oneshot::Receiver<Result<(), StoreError>>, StoreError> {
        if self.closed {
            return Err(StoreError::Closed);
        }
        if !users.into_iter().all(|user| self.waiting.add(user, Activity::forgotten())) {
            return Err(StoreError::Busy);
        }
        Ok(self.ask())
    }

    /// Takes nothing more; the answer comes when all is written. None: it was closed before.
    pub fn close(&mut self) -> Option<oneshot::Receiver<Result<(), StoreError>>> {
        let first = !std::mem::replace(&mut self.closed, true);
        first.then(|| self.ask())
    }

    fn ask(&mut self) -> oneshot::Receiver<Result<(), StoreError>> {
        let (answer, answered) = oneshot::channel();
        self.asking.push(answer);
        answered
    }

    /// What waits of a user: (what is being written, what comes after it).
    pub fn of(&self, user: UserId) -> (Option<Activity>, Option<Activity>) {
        self.waiting.of(user)
    }

    /// Somebody waits for the next write.
    pub fn is_urgent(&self) -> bool {
        self.closed || !self.asking.is_empty()
    }

    /// What is to be written next.
    pub fn begin(&mut self) -> Batch {
        Batch { sightings: self.waiting.begin(), asking: std::mem::take(&mut self.asking), closed: self.closed }
    }

    /// It has been written.
    pub fn end(&mut self, metrics: &LastSeenMetrics) {
        self.waiting.end();
        self.count(metrics);
    }

    fn count(&self, metrics: &LastSeenMetrics) {
        metrics.waiting.set(i64::try_from(self.waiting.len()).unwrap_or(i64::MAX));
    }
}

/// Waits until what was asked for is written.
pub async fn written(asked: oneshot::Receiver<Result<(), StoreError>>) -> Result<(), StoreError> {
    asked.await.map_err(|_| StoreError::Closed)?
}

/// Tells who waits how it went.
pub fn answer(asking: Vec<Asker>, result: &Result<(), StoreError>) {
    for asker in asking {
        // Who asked may be gone; it is done all the same.
        let _asker_gone = asker.send(result.clone());
    }
}
