//! What this node wants Redis to have of its own users, and what of that Redis does not have yet.
//!
//! Only the latest wish of each user waits, so the queue is never longer than there are users here, whatever happens to
//! Redis meanwhile. Writes are idempotent: what is not acknowledged is written again.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::event::BucketClock;
use super::record::is_lingering;
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;

/// What Redis is to have of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DesiredState {
    /// This packed record.
    Here(Bytes),
    /// This packed record, for as long as this after the write.
    Lingering(Bytes, Duration),
    /// Nothing.
    Gone(Exit),
}

impl DesiredState {
    /// The bytes that are to stand in Redis.
    pub fn value(&self) -> &[u8] {
        match self {
            Self::Here(value) | Self::Lingering(value, _) => value,
            Self::Gone(_) => b"",
        }
    }
}

/// A wish on its way.
#[derive(Clone, Debug)]
pub struct Write {
    /// Whose.
    pub user: UserId,
    /// What is to be written.
    pub desired: DesiredState,
    generation: u64,
}

#[derive(Debug)]
struct Entry {
    desired: DesiredState,
    /// Counts the wishes.
    generation: u64,
    /// The wish that Redis has; 0: none.
    acknowledged: u64,
    /// Waits to be written.
    dirty: bool,
    /// Is being written.
    under_way: bool,
    /// Redis has it, and it is Redis's own business from here on; kept until its event is heard, so that earlier events
    /// are known to be earlier.
    done: bool,
    /// What Redis has where that is not what is wished.
    stood: Option<Bytes>,
    /// It has that under a life of this node that was declared dead.
    orphaned: bool,
    /// The clock that Redis gave the last write that changed something.
    clock: BucketClock,
}

/// The wishes of one Redis.
#[derive(Default)]
pub struct Outgoing {
    inner: Mutex<Inner>,
    /// There is something to write.
    pub changed: Notify,
    /// There is nothing left to write.
    pub settled: Notify,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<UserId, Entry>,
    /// Those that are dirty, in the order they became so.
    queue: VecDeque<UserId>,
    /// Whom [`Outgoing::reassert`] still has to come to in this round.
    round: Vec<UserId>,
    /// So many at a time.
    stride: usize,
    /// How many are being written.
    under_way: usize,
}

impl Outgoing {
    /// Replaces what Redis is to have of a user.
    pub fn desired(&self, user: UserId, desired: DesiredState) {
        {
            let mut inner = self.inner.lock();
            let entry = inner.entries.entry(user).or_insert_with(|| Entry::new(desired.clone(), 0));
            entry.keep_what_stands();
            entry.desired = desired;
            entry.generation += 1;
            entry.done = false;
            inner.mark(user);
        }
        self.changed.notify_one();
    }

    /// The packed record that a user has here, if it has one.
    pub fn value(&self, user: UserId) -> Option<Bytes> {
        let inner = self.inner.lock();
        match inner.entries.get(&user).filter(|entry| !entry.done)?.desired {
            DesiredState::Here(ref value) | DesiredState::Lingering(ref value, _) => Some(value.clone()),
            DesiredState::Gone(_) => None,
        }
    }

    /// Takes some to write. They count as being written until [`Outgoing::written`] or [`Outgoing::failed`].
    pub fn take(&self, most: usize) -> Vec<Write> {
        let mut inner = self.inner.lock();
        let count = most.min(inner.queue.len());
        let users: Vec<UserId> = inner.queue.drain(..count).collect();
        inner.under_way += users.len();
        let mut writes = Vec::with_capacity(users.len());
        for user in users {
            let entry = inner.entries.get_mut(&user).expect("who is queued has an entry");
            entry.dirty = false;
            entry.under_way = true;
            writes.push(Write { user, desired: entry.desired.clone(), generation: entry.generation });
        }
        writes
    }

    /// A write was acknowledged, with a clock if it changed something. Answers what others removed of the user meanwhile,
    /// because they took this node for dead.
    pub fn written(&self, write: &Write, clock: Option<BucketClock>) -> Option<Bytes> {
        let mut inner = self.inner.lock();
        inner.under_way -= 1;
        let entry = inner.entries.get_mut(&write.user).expect("stays while it is being written");
        entry.under_way = false;
        entry.clock = clock.unwrap_or(entry.clock);
        let stood = entry.stood.take().filter(|_| std::mem::take(&mut entry.orphaned));
        entry.acknowledged = write.generation;
        if let DesiredState::Here(value) = &write.desired
            && entry.generation != write.generation
        {
            entry.stood = Some(value.clone());
        }
        // What lingers is Redis's own business from here on: to write it again would bring it back after its deadline.
        let ends = match entry.desired {
            DesiredState::Here(_) => false,
            DesiredState::Lingering(..) | DesiredState::Gone(_) => true,
        };
        entry.done = ends && entry.generation == write.generation && !entry.dirty;
        if entry.done && entry.clock == 0 && entry.desired.value().is_empty() {
            // Nothing ever changed, and nothing is there that an earlier event could be taken for.
            inner.entries.remove(&write.user);
        }
        if inner.queue.is_empty() && inner.under_way == 0 {
            self.settled.notify_one();
        }
        stood
    }

    /// A write may not have been carried out: it is to be tried again.
    pub fn failed(&self, write: &Write) {
        let mut inner = self.inner.lock();
        inner.under_way -= 1;
        let entry = inner.entries.get_mut(&write.user).expect("stays while it is being written");
        entry.under_way = false;
        inner.mark(write.user);
    }

    /// An event said that Redis has this of a user from this node. Where it is not what is wished (a write that was given
    /// up came late and overtook its successor), it is written again.
    pub fn echo(&self, user: UserId, clock: BucketClock, value: &[u8]) {
        let mut inner = self.inner.lock();
        let has_ended = value.is_empty() || is_lingering(value);
        match inner.entries.get(&user) {
            Some(entry) if entry.under_way || entry.dirty || clock < entry.clock => return,
            Some(entry) if entry.done && has_ended => {
                inner.entries.remove(&user);
                return;
            }
            Some(entry) if clock == entry.clock || entry.desired.value() == value => return,
            None if has_ended => return,
            Some(_) | None => {}
        }
        inner.correct(user, clock);
        self.changed.notify_one();
    }

    /// Redis was read, and has this of a user from this node. Where it is not what Redis had acknowledged (it went back to
    /// an earlier state), it is written again. No event that came after the read may have been told of yet.
    pub fn found(&self, user: UserId, clock: BucketClock, value: &[u8]) {
        let mut inner = self.inner.lock();
        let has_ended = value.is_empty() || is_lingering(value);
        match inner.entries.get(&user) {
            Some(entry) if entry.under_way || entry.dirty || entry.desired.value() == value => return,
            Some(entry) if entry.done && has_ended => return,
            None if has_ended => return,
            Some(_) | None => {}
        }
        inner.correct(user, clock);
        self.changed.notify_one();
    }

    /// Everything is to be written again, under another life. `is_dead`: the life before was declared dead, so others
    /// remove what it had.
    pub fn write_all(&self, is_dead: bool) {
        let mut inner = self.inner.lock();
        inner.entries.retain(|_, entry| !entry.done);
        if is_dead {
            for entry in inner.entries.values_mut() {
                entry.keep_what_stands();
                entry.orphaned = entry.stood.is_some();
            }
        }
        let users: Vec<UserId> = inner.entries.keys().copied().collect();
        users.into_iter().for_each(|user| inner.mark(user));
        self.changed.notify_one();
    }

    /// Has some users written again, in turn, so that all have been after `deadline_timer` calls.
    pub fn reassert(&self, deadline_timer: usize) {
        let mut inner = self.inner.lock();
        if inner.round.is_empty() {
            inner.round = inner.entries.keys().copied().collect();
            inner.stride = inner.round.len().div_ceil(deadline_timer.max(1));
        }
        let left = inner.round.len().saturating_sub(inner.stride);
        let users = inner.round.split_off(left);
        for user in users {
            // Of who is done an event ought to have been heard by now: it was missed.
            if inner.entries.get(&user).is_some_and(|entry| entry.done) {
                inner.entries.remove(&user);
            }
            inner.mark(user);
        }
        self.changed.notify_one();
    }

    /// How many wait or are being written.
    pub fn waiting(&self) -> usize {
        let inner = self.inner.lock();
        inner.queue.len() + inner.under_way
    }

    /// How many users are remembered.
    #[cfg(test)]
    fn len(&self) -> usize {
        self.inner.lock().entries.len()
    }
}

impl Entry {
    fn new(desired: DesiredState, clock: BucketClock) -> Self {
        Self {
            desired,
            generation: 0,
            acknowledged: 0,
            dirty: false,
            under_way: false,
            done: false,
            stood: None,
            orphaned: false,
            clock,
        }
    }

    /// The wish will be another.
    fn keep_what_stands(&mut self) {
        if let DesiredState::Here(value) = &self.desired
            && self.acknowledged > 0
            && self.acknowledged == self.generation
        {
            self.stood = Some(value.clone());
        }
    }
}

impl Inner {
    /// Redis has something else of a user than is wished, since this clock; nothing is wished of whom nothing is known.
    fn correct(&mut self, user: UserId, clock: BucketClock) {
        let entry = self.entries.entry(user).or_insert_with(|| Entry::new(DesiredState::Gone(Exit::Lost), clock));
        entry.done = false;
        self.mark(user);
    }

    fn mark(&mut self, user: UserId) {
        if let Some(entry) = self.entries.get_mut(&user)
            && !std::mem::replace(&mut entry.dirty, true)
        {
            self.queue.push_back(user);
        }
    }
}
