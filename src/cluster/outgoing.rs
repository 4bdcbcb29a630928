//! The desired records of this node's users in Redis, and the writes that are not acknowledged yet.
//!
//! Only the latest desired state of each user waits, so that the queue is never longer than the number of local users, even
//! during an outage of Redis. Writes are idempotent: a write without acknowledgement is repeated.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::message::BucketClock;
use super::record::is_lingering;
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;

/// The state that Redis must have of one user under this node's incarnation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DesiredState {
    /// This packed record.
    Here(Bytes),
    /// This packed record, for this long after the write.
    Lingering(Bytes, Duration),
    /// No record.
    Gone(Exit),
}

impl DesiredState {
    /// Returns the bytes that Redis must have.
    pub fn value(&self) -> &[u8] {
        match self {
            Self::Here(value) | Self::Lingering(value, _) => value,
            Self::Gone(_) => b"",
        }
    }
}

/// A write that was taken out of the queue.
#[derive(Clone, Debug)]
pub struct RecordWrite {
    /// The user.
    pub user: UserId,
    /// The state to write.
    pub desired: DesiredState,
    generation: u64,
}

#[derive(Debug)]
struct OutgoingUser {
    desired: DesiredState,
    /// Number of the desired state; grows with each new one.
    generation: u64,
    /// Generation of the state that Redis has, or 0.
    acknowledged: u64,
    /// Waits to be written.
    dirty: bool,
    /// Is being written.
    under_way: bool,
    /// Redis has the final state and handles it from here on. The entry stays until its event arrives, so that earlier
    /// events are recognised as earlier.
    done: bool,
    /// The record that Redis has, if it is not the desired one.
    outdated: Option<Bytes>,
    /// The outdated record is under an incarnation of this node that was declared dead.
    is_orphaned: bool,
    /// The clock of the last write that changed the record in Redis.
    clock: BucketClock,
}

/// The desired states for one configured Redis.
#[derive(Default)]
pub struct OutgoingRecords {
    queue: Mutex<OutgoingQueue>,
    /// Signals that there is something to write.
    pub changed: Notify,
    /// Signals that nothing is left to write.
    pub settled: Notify,
}

#[derive(Default)]
struct OutgoingQueue {
    users: HashMap<UserId, OutgoingUser>,
    /// The dirty users, in the order in which they became dirty.
    dirty: VecDeque<UserId>,
    /// The users that [`OutgoingRecords::reassert`] has not reached yet.
    to_reassert: Vec<UserId>,
    /// Number of users for each call of [`OutgoingRecords::reassert`].
    stride: usize,
    /// Number of users that are being written.
    under_way: usize,
}

impl OutgoingRecords {
    /// Replaces the desired state of a user.
    pub fn set(&self, user: UserId, desired: DesiredState) {
        {
            let mut queue = self.queue.lock();
            let entry = queue.users.entry(user).or_insert_with(|| OutgoingUser::new(desired.clone(), 0));
            entry.keep_outdated();
            entry.desired = desired;
            entry.generation += 1;
            entry.done = false;
            queue.mark(user);
        }
        self.changed.notify_one();
    }

    /// Returns the user's packed record on this node, if it has one.
    pub fn value(&self, user: UserId) -> Option<Bytes> {
        let queue = self.queue.lock();
        match queue.users.get(&user).filter(|entry| !entry.done)?.desired {
            DesiredState::Here(ref value) | DesiredState::Lingering(ref value, _) => Some(value.clone()),
            DesiredState::Gone(_) => None,
        }
    }

    /// Takes at most `max` writes out of the queue. They count as under way until [`OutgoingRecords::written`] or
    /// [`OutgoingRecords::failed`].
    pub fn take(&self, max: usize) -> Vec<RecordWrite> {
        let mut queue = self.queue.lock();
        let count = max.min(queue.dirty.len());
        let users: Vec<UserId> = queue.dirty.drain(..count).collect();
        queue.under_way += users.len();
        let mut writes = Vec::with_capacity(users.len());
        for user in users {
            let entry = queue.users.get_mut(&user).expect("a queued user has an entry");
            entry.dirty = false;
            entry.under_way = true;
            writes.push(RecordWrite { user, desired: entry.desired.clone(), generation: entry.generation });
        }
        writes
    }

    /// Reports that a write was acknowledged, with the clock if it changed the record. Returns the record that other nodes
    /// removed in the meantime because they had declared this node dead.
    pub fn written(&self, write: &RecordWrite, clock: Option<BucketClock>) -> Option<Bytes> {
        let mut queue = self.queue.lock();
        queue.under_way -= 1;
        let entry = queue.users.get_mut(&write.user).expect("the entry stays during the write");
        entry.under_way = false;
        entry.clock = clock.unwrap_or(entry.clock);
        let removed = entry.outdated.take().filter(|_| std::mem::take(&mut entry.is_orphaned));
        entry.acknowledged = write.generation;
        if let DesiredState::Here(value) = &write.desired
            && entry.generation != write.generation
        {
            entry.outdated = Some(value.clone());
        }
        // Redis ends a lingering record by itself. Another write would bring it back after its deadline.
        let ends = match entry.desired {
            DesiredState::Here(_) => false,
            DesiredState::Lingering(..) | DesiredState::Gone(_) => true,
        };
        entry.done = ends && entry.generation == write.generation && !entry.dirty;
        if entry.done && entry.clock == 0 && entry.desired.value().is_empty() {
            // Nothing ever changed, so there is no earlier event that could be mistaken for a later one.
            queue.users.remove(&write.user);
        }
        if queue.dirty.is_empty() && queue.under_way == 0 {
            self.settled.notify_one();
        }
        removed
    }

    /// Reports that a write may not have been carried out. It is queued again.
    pub fn failed(&self, write: &RecordWrite) {
        let mut queue = self.queue.lock();
        queue.under_way -= 1;
        let entry = queue.users.get_mut(&write.user).expect("the entry stays during the write");
        entry.under_way = false;
        queue.mark(write.user);
    }

    /// Takes in an event with this node's own record of a user. If it is not the desired record (a write that had timed out
    /// arrived late and overtook its successor), the desired one is written again.
    pub fn event_received(&self, user: UserId, clock: BucketClock, value: &[u8]) {
        let mut queue = self.queue.lock();
        let has_ended = value.is_empty() || is_lingering(value);
        match queue.users.get(&user) {
            Some(entry) if entry.under_way || entry.dirty || clock < entry.clock => return,
            Some(entry) if entry.done && has_ended => {
                queue.users.remove(&user);
                return;
            }
            Some(entry) if clock == entry.clock || entry.desired.value() == value => return,
            None if has_ended => return,
            Some(_) | None => {}
        }
        queue.correct(user, clock);
        self.changed.notify_one();
    }

    /// Takes in this node's own record of a user as it was read from Redis. If it is not the record that Redis had
    /// acknowledged (Redis went back to an earlier state), the desired one is written again. Must be called before events
    /// later than the read are taken in.
    pub fn record_read(&self, user: UserId, clock: BucketClock, value: &[u8]) {
        let mut queue = self.queue.lock();
        let has_ended = value.is_empty() || is_lingering(value);
        match queue.users.get(&user) {
            Some(entry) if entry.under_way || entry.dirty || entry.desired.value() == value => return,
            Some(entry) if entry.done && has_ended => return,
            None if has_ended => return,
            Some(_) | None => {}
        }
        queue.correct(user, clock);
        self.changed.notify_one();
    }

    /// Queues every record again, for a new incarnation. `is_dead` means that the earlier incarnation was declared dead, so
    /// that other nodes remove its records.
    pub fn write_all(&self, is_dead: bool) {
        let mut queue = self.queue.lock();
        queue.users.retain(|_, entry| !entry.done);
        if is_dead {
            for entry in queue.users.values_mut() {
                entry.keep_outdated();
                entry.is_orphaned = entry.outdated.is_some();
            }
        }
        let users: Vec<UserId> = queue.users.keys().copied().collect();
        users.into_iter().for_each(|user| queue.mark(user));
        self.changed.notify_one();
    }

    /// Queues a part of the users again, in turn, so that `calls` calls reach every user.
    pub fn reassert(&self, calls: usize) {
        let mut queue = self.queue.lock();
        if queue.to_reassert.is_empty() {
            queue.to_reassert = queue.users.keys().copied().collect();
            queue.stride = queue.to_reassert.len().div_ceil(calls.max(1));
        }
        let left = queue.to_reassert.len().saturating_sub(queue.stride);
        let users = queue.to_reassert.split_off(left);
        for user in users {
            // The event of a user that is done would have arrived by now: it was missed.
            if queue.users.get(&user).is_some_and(|entry| entry.done) {
                queue.users.remove(&user);
            }
            queue.mark(user);
        }
        self.changed.notify_one();
    }

    /// Returns the number of users that wait or are being written.
    pub fn waiting(&self) -> usize {
        let queue = self.queue.lock();
        queue.dirty.len() + queue.under_way
    }

    /// Returns the number of remembered users.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.queue.lock().users.len()
    }
}

impl OutgoingUser {
    fn new(desired: DesiredState, clock: BucketClock) -> Self {
        Self {
            desired,
            generation: 0,
            acknowledged: 0,
            dirty: false,
            under_way: false,
            done: false,
            outdated: None,
            is_orphaned: false,
            clock,
        }
    }

    /// Remembers the acknowledged record before the desired state changes.
    fn keep_outdated(&mut self) {
        if let DesiredState::Here(value) = &self.desired
            && self.acknowledged > 0
            && self.acknowledged == self.generation
        {
            self.outdated = Some(value.clone());
        }
    }
}

impl OutgoingQueue {
    /// Queues a user again because Redis has another record than the desired one, with this clock. The desired state of an
    /// unknown user is that it has no record.
    fn correct(&mut self, user: UserId, clock: BucketClock) {
        let entry = self.users.entry(user).or_insert_with(|| OutgoingUser::new(DesiredState::Gone(Exit::Lost), clock));
        entry.done = false;
        self.mark(user);
    }

    fn mark(&mut self, user: UserId) {
        if let Some(entry) = self.users.get_mut(&user)
            && !std::mem::replace(&mut entry.dirty, true)
        {
            self.dirty.push_back(user);
        }
    }
}
