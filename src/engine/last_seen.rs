//! Writes down when users are online, without a timer for each.
//!
//! A user that becomes visible is noted then, again every interval while it stays so, and when it is visible no more.
//! The visible users of a shard lie in as many slots as the interval has seconds; its supervisor notes one slot a second.

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

/// Where the engine writes down when users were seen; nowhere, if that is switched off.
#[derive(Clone)]
pub struct LastSeenRecorder {
    last_seen: Option<Arc<dyn LastSeenStore>>,
    interval: Duration,
    clock: Clock,
    /// How often users were forgotten: a record that was read before may be of such a one.
    forgettings: Arc<AtomicU64>,
}

/// What was written down of a user when it was read.
pub struct Record {
    /// Nothing where it could not be read.
    pub last_seen: LastSeen,
    /// How often users had been forgotten before it was read.
    forgettings: u64,
}

impl LastSeenRecorder {
    /// Into this store; a visible user every `interval`.
    pub fn new(last_seen: Option<Arc<dyn LastSeenStore>>, interval: Duration, clock: &Clock) -> Self {
        Self { last_seen, interval, clock: clock.clone(), forgettings: Arc::default() }
    }

    /// Notes that a user did something, and what it said of itself.
    /// Returns the time of day. An empty text says nothing.
    pub fn active(&self, user: UserId, state: Option<StatusText>) -> Result<Timestamp, TooManyWaiting> {
        let at = self.clock.time_of_day();
        let sighting = Activity::active(at, state.filter(|text| !text.as_str().is_empty()));
        self.last_seen
            .as_ref()
            .map_or(Ok(()), |last_seen| last_seen.note(&mut std::iter::once((user, sighting))))
            .map(|()| at)
    }

    /// What is written down of a user.
    pub async fn record(&self, user: UserId) -> Record {
        let forgettings = self.forgettings.load(Ordering::Acquire);
        Record { last_seen: self.read(user).await, forgettings }
    }

    /// Users are forgotten: the store has done it, and their actors are told next.
    pub fn forgotten(&self) {
        self.forgettings.fetch_add(1, Ordering::Release);
    }

    /// Whether nobody was forgotten since the record was read.
    pub fn is_current(&self, record: &Record) -> bool {
        record.forgettings == self.forgettings.load(Ordering::Acquire)
    }

    async fn read(&self, user: UserId) -> LastSeen {
        let Some(last_seen) = &self.last_seen else { return LastSeen::default() };
        match last_seen.read(vec![user]).await {
            Ok(mut records) => records.pop().unwrap_or_default(),
            Err(StoreError::Unavailable(reason)) => {
                log::debug!("a follower's user is told without its last-seen record: {reason}");
                LastSeen::default()
            }
            Err(error) => {
                log::error!("the last-seen record of a follower's user could not be read: {error}");
                LastSeen::default()
            }
        }
    }

    fn online(&self, users: impl Iterator<Item = UserId>) {
        let Some(last_seen) = &self.last_seen else { return };
        let sighting = Activity::online(self.clock.time_of_day());
        // What is refused is counted; the next tick comes soon.
        let _refused = last_seen.note(&mut users.map(|user| (user, sighting.clone())));
    }
}

/// The visible users of one shard. Nothing is kept where nothing is written down.
pub struct OnlineSweep {
    recorder: LastSeenRecorder,
    slots: Box<[RefCell<HashSet<UserId>>]>,
}

impl OnlineSweep {
    /// Nobody.
    pub fn new(recorder: LastSeenRecorder) -> Self {
        let count = usize::try_from(recorder.interval.as_secs()).unwrap_or(usize::MAX).clamp(1, 3600);
        Self { recorder, slots: (0..count).map(|_| RefCell::default()).collect() }
    }

    /// Where the users are written down.
    pub fn recorder(&self) -> &LastSeenRecorder {
        &self.recorder
    }

    /// The time between two slots.
    pub fn stride(&self) -> Option<Duration> {
        let slots = u32::try_from(self.slots.len()).expect("at most an hour's seconds");
        self.recorder.last_seen.as_ref().map(|_| self.recorder.interval / slots)
    }

    /// A user is visible.
    pub fn appears(&self, user: UserId) {
        self.note(user, |slot| slot.insert(user));
    }

    /// A user is visible no more.
    pub fn disappears(&self, user: UserId) {
        self.note(user, |slot| slot.remove(&user));
    }

    fn note(&self, user: UserId, change: impl FnOnce(&mut HashSet<UserId>) -> bool) {
        if self.recorder.last_seen.is_some() {
            change(&mut self.slot(user).borrow_mut());
            self.recorder.online(std::iter::once(user));
        }
    }

    /// Notes the users of one slot; the caller counts the slots through.
    pub fn sweep(&self, round: usize) {
        let mut slot = self.slots[round % self.slots.len()].borrow_mut();
        self.recorder.online(slot.iter().copied());
        // Room that a wave of users left behind.
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
