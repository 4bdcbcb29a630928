//! Writes when users are online, without a timer for each user.
//!
//! The recorder notes a user when it becomes visible, again every interval while it stays visible, and when it becomes
//! invisible. The visible users of a shard are spread over as many slots as the interval has seconds. The supervisor
//! sweeps one slot each second.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hashbrown::HashSet;

use crate::clock::Clock;
use crate::presence::id::UserId;
use crate::presence::last_seen::{Activity, LastSeen};
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;
use crate::store::StoreError;
use crate::store::last_seen::{LastSeenStore, TooManyWaiting};

/// Writes and reads last-seen records. Does nothing when last-seen records are switched off. Cheap to clone.
#[derive(Clone)]
pub struct LastSeenRecorder {
    last_seen: Option<Arc<dyn LastSeenStore>>,
    interval: Duration,
    clock: Clock,
    /// Counts how often users were forgotten. A record read before that may belong to a forgotten user.
    forgettings: Arc<AtomicU64>,
}

/// A user's stored record, as it was at the time of the read.
pub struct ReadRecord {
    /// Empty when the store could not be read.
    pub last_seen: LastSeen,
    /// [`LastSeenRecorder::forgettings`] before the read.
    forgettings: u64,
}

impl LastSeenRecorder {
    /// Records into this store, visible users every `interval`.
    pub fn new(last_seen: Option<Arc<dyn LastSeenStore>>, interval: Duration, clock: &Clock) -> Self {
        Self { last_seen, interval, clock: clock.clone(), forgettings: Arc::default() }
    }

    /// Notes that a user was active and the state that it gave. An empty state is not kept. Returns the time of day.
    pub fn active(&self, user: UserId, state: Option<StatusText>) -> Result<Timestamp, TooManyWaiting> {
        let at = self.clock.time_of_day();
        if let Some(last_seen) = &self.last_seen {
            let activity = Activity::active(at, state.filter(|text| !text.as_str().is_empty()));
            last_seen.note(&mut std::iter::once((user, activity)))?;
        }
        Ok(at)
    }

    /// Reads the record of a user.
    pub async fn record(&self, user: UserId) -> ReadRecord {
        let forgettings = self.forgettings.load(Ordering::Acquire);
        ReadRecord { last_seen: self.read(user).await, forgettings }
    }

    /// Notes that users were forgotten. Call it after the store and before the user actors forget.
    pub fn forgotten(&self) {
        self.forgettings.fetch_add(1, Ordering::Release);
    }

    /// Whether no user was forgotten after the record was read.
    pub fn is_current(&self, record: &ReadRecord) -> bool {
        record.forgettings == self.forgettings.load(Ordering::Acquire)
    }

    async fn read(&self, user: UserId) -> LastSeen {
        let Some(last_seen) = &self.last_seen else { return LastSeen::default() };
        match last_seen.read(vec![user]).await {
            Ok(mut records) => records.pop().unwrap_or_default(),
            Err(StoreError::Unavailable(reason)) => {
                log::debug!("a follower gets a user without its last-seen record: {reason}");
                LastSeen::default()
            }
            Err(error) => {
                log::error!("the last-seen record of a followed user could not be read: {error}");
                LastSeen::default()
            }
        }
    }

    fn online(&self, users: impl Iterator<Item = UserId>) {
        let Some(last_seen) = &self.last_seen else { return };
        let activity = Activity::online(self.clock.time_of_day());
        // The store counts a refusal, and the next sweep comes soon.
        let _refused = last_seen.note(&mut users.map(|user| (user, activity.clone())));
    }
}

/// The visible users of one shard. Stays empty when last-seen records are switched off.
pub struct OnlineSweep {
    recorder: LastSeenRecorder,
    slots: Box<[RefCell<HashSet<UserId>>]>,
}

impl OnlineSweep {
    /// A sweep without users.
    pub fn new(recorder: LastSeenRecorder) -> Self {
        let count = usize::try_from(recorder.interval.as_secs()).unwrap_or(usize::MAX).clamp(1, 3600);
        Self { recorder, slots: (0..count).map(|_| RefCell::default()).collect() }
    }

    /// Writes and reads the records.
    pub fn recorder(&self) -> &LastSeenRecorder {
        &self.recorder
    }

    /// Returns the time between two slots, or `None` when there is nothing to sweep.
    pub fn slot_interval(&self) -> Option<Duration> {
        let slots = u32::try_from(self.slots.len()).expect("at most an hour's seconds");
        self.recorder.last_seen.as_ref().map(|_| self.recorder.interval / slots)
    }

    /// Notes a user that became visible.
    pub fn appears(&self, user: UserId) {
        self.note(user, |slot| slot.insert(user));
    }

    /// Notes a user that became invisible.
    pub fn disappears(&self, user: UserId) {
        self.note(user, |slot| slot.remove(&user));
    }

    fn note(&self, user: UserId, change: impl FnOnce(&mut HashSet<UserId>) -> bool) {
        if self.recorder.last_seen.is_some() {
            change(&mut self.slot(user).borrow_mut());
            self.recorder.online(std::iter::once(user));
        }
    }

    /// Notes the users of one slot. The caller counts the ticks.
    pub fn sweep(&self, tick: usize) {
        let mut slot = self.slots[tick % self.slots.len()].borrow_mut();
        self.recorder.online(slot.iter().copied());
        // Releases the memory that a wave of users left.
        if slot.capacity() > 4 * slot.len() + 64 {
            slot.shrink_to_fit();
        }
    }

    fn slot(&self, user: UserId) -> &RefCell<HashSet<UserId>> {
        let (_, low) = user.uuid().as_u64_pair();
        let slot = usize::try_from(low % self.slots.len() as u64).expect("below the number of slots");
        &self.slots[slot]
    }
}
