//! What this node wants Redis to have of its own users, and what of that Redis does not have yet.
//!
//! Only the latest wish of each user waits, so the queue is never longer than there are users here, whatever happens to
//! Redis meanwhile. Writes are idempotent: what is not acknowledged is written again.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::event::BucketClock;
use super::record::is_lingering;
use crate::presence::general::Exit;
use crate::presence::id::UserId;

/// What Redis is to have of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// This packed record.
    Here(Bytes),
    /// This packed record, for as long as this after the write.
    Lingering(Bytes, Duration),
    /// Nothing.
    Gone(Exit),
}

impl Wish {
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
    pub wish: Wish,
    generation: u64,
}

#[derive(Debug)]
struct Entry {
    wish: Wish,
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
pub struct Local {
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
    /// Whom [`Local::reassert`] still has to come to in this round.
    round: Vec<UserId>,
    /// So many at a time.
    stride: usize,
    /// How many are being written.
    under_way: usize,
}

impl Local {
    /// Replaces what Redis is to have of a user.
    pub fn wish(&self, user: UserId, wish: Wish) {
        {
            let mut inner = self.inner.lock();
            let entry = inner.entries.entry(user).or_insert_with(|| Entry::new(wish.clone(), 0));
            entry.keep_what_stands();
            entry.wish = wish;
            entry.generation += 1;
            entry.done = false;
            inner.mark(user);
        }
        self.changed.notify_one();
    }

    /// The packed record that a user has here, if it has one.
    pub fn value(&self, user: UserId) -> Option<Bytes> {
        let inner = self.inner.lock();
        match inner.entries.get(&user).filter(|entry| !entry.done)?.wish {
            Wish::Here(ref value) | Wish::Lingering(ref value, _) => Some(value.clone()),
            Wish::Gone(_) => None,
        }
    }

    /// Takes some to write. They count as being written until [`Local::written`] or [`Local::failed`].
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
            writes.push(Write { user, wish: entry.wish.clone(), generation: entry.generation });
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
        if let Wish::Here(value) = &write.wish
            && entry.generation != write.generation
        {
            entry.stood = Some(value.clone());
        }
        // What lingers is Redis's own business from here on: to write it again would bring it back after its deadline.
        let ends = match entry.wish {
            Wish::Here(_) => false,
            Wish::Lingering(..) | Wish::Gone(_) => true,
        };
        entry.done = ends && entry.generation == write.generation && !entry.dirty;
        if entry.done && entry.clock == 0 && entry.wish.value().is_empty() {
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
        match inner.entries.get_mut(&user) {
            Some(entry) if entry.under_way || entry.dirty || clock < entry.clock => return,
            Some(entry) if entry.done && has_ended => {
                inner.entries.remove(&user);
                return;
            }
            Some(entry) if clock == entry.clock || entry.wish.value() == value => return,
            Some(entry) => entry.done = false,
            None if has_ended => return,
            None => {
                inner.entries.insert(user, Entry::new(Wish::Gone(Exit::Lost), clock));
            }
        }
        inner.mark(user);
        self.changed.notify_one();
    }

    /// Redis was read, and has this of a user from this node. Where it is not what Redis had acknowledged (it went back to
    /// an earlier state), it is written again. No event that came after the read may have been told of yet.
    pub fn found(&self, user: UserId, clock: BucketClock, value: &[u8]) {
        let mut inner = self.inner.lock();
        let has_ended = value.is_empty() || is_lingering(value);
        match inner.entries.get_mut(&user) {
            Some(entry) if entry.under_way || entry.dirty || entry.wish.value() == value => return,
            Some(entry) if entry.done && has_ended => return,
            Some(entry) => entry.done = false,
            None if has_ended => return,
            None => {
                inner.entries.insert(user, Entry::new(Wish::Gone(Exit::Lost), clock));
            }
        }
        inner.mark(user);
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

    /// Has some users written again, in turn, so that all have been after `rounds` calls.
    pub fn reassert(&self, rounds: usize) {
        let mut inner = self.inner.lock();
        if inner.round.is_empty() {
            inner.round = inner.entries.keys().copied().collect();
            inner.stride = inner.round.len().div_ceil(rounds.max(1));
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
    fn new(wish: Wish, clock: BucketClock) -> Self {
        Self {
            wish,
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
        if let Wish::Here(value) = &self.wish
            && self.acknowledged > 0
            && self.acknowledged == self.generation
        {
            self.stood = Some(value.clone());
        }
    }
}

impl Inner {
    fn mark(&mut self, user: UserId) {
        if let Some(entry) = self.entries.get_mut(&user)
            && !std::mem::replace(&mut entry.dirty, true)
        {
            self.queue.push_back(user);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here(text: &'static str) -> Wish {
        Wish::Here(Bytes::from_static(text.as_bytes()))
    }

    /// Redis takes what waits.
    fn acknowledge(local: &Local, clock: Option<BucketClock>) {
        local.take(100).iter().for_each(|write| assert_eq!(local.written(write, clock), None));
    }

    fn taken(local: &Local) -> Vec<(UserId, Wish)> {
        local.take(10).into_iter().map(|write| (write.user, write.wish)).collect()
    }

    #[test]
    fn only_the_latest_wish_waits() {
        let (local, user) = (Local::default(), UserId::random());
        (0..1000).for_each(|_| local.wish(user, here("a")));
        local.wish(user, here("b"));
        assert_eq!(local.waiting(), 1);
        assert_eq!(taken(&local), [(user, here("b"))]);
        assert!(taken(&local).is_empty());
    }

    #[test]
    fn who_is_gone_is_forgotten_once_redis_knows() {
        let (local, user) = (Local::default(), UserId::random());
        local.wish(user, Wish::Gone(Exit::LoggedOut));
        let write = local.take(10).remove(0);
        local.failed(&write);
        assert_eq!(local.len(), 1);
        let write = local.take(10).remove(0);
        local.wish(user, here("back"));
        local.written(&write, Some(5));
        let write = local.take(10).remove(0);
        assert_eq!(write.wish, here("back"), "came back meanwhile");
        local.written(&write, Some(6));
        local.wish(user, Wish::Gone(Exit::Lost));
        let write = local.take(10).remove(0);
        local.written(&write, Some(7));
        local.echo(user, 5, b"");
        assert_eq!((local.len(), local.waiting()), (1, 0), "its event is to come");
        local.echo(user, 7, b"");
        assert_eq!((local.len(), local.waiting()), (0, 0));
        local.wish(user, Wish::Gone(Exit::Lost));
        acknowledge(&local, None);
        assert_eq!(local.len(), 0, "was gone already: there is no event");
    }

    #[test]
    fn an_event_that_comes_after_later_answers_ends_nobodys_lingering() {
        let (local, user) = (Local::default(), UserId::random());
        local.wish(user, here("a"));
        acknowledge(&local, Some(1));
        local.wish(user, Wish::Lingering(Bytes::from_static(b"La"), Duration::from_secs(1)));
        acknowledge(&local, Some(2));
        local.echo(user, 1, b"a");
        assert_eq!((local.waiting(), local.value(user)), (0, None), "it is old");
        local.echo(user, 2, b"La");
        assert_eq!((local.len(), local.waiting()), (0, 0));
    }

    #[test]
    fn lingering_whose_answers_were_lost_is_not_ended_by_its_own_events() {
        let (local, user) = (Local::default(), UserId::random());
        local.wish(user, here("a"));
        local.take(10).iter().for_each(|write| local.failed(write));
        local.wish(user, Wish::Lingering(Bytes::from_static(b"La"), Duration::from_secs(1)));
        local.take(10).iter().for_each(|write| local.failed(write));
        // Redis has taken both, and has nothing to change.
        acknowledge(&local, None);
        local.echo(user, 1, b"a");
        assert!(taken(&local).iter().all(|(_, wish)| wish.value() == b"La"));
    }

    #[test]
    fn a_write_that_came_late_does_not_end_lingering_either() {
        let (local, user) = (Local::default(), UserId::random());
        let lingering = Wish::Lingering(Bytes::from_static(b"La"), Duration::from_secs(1));
        local.wish(user, here("a"));
        acknowledge(&local, Some(1));
        local.wish(user, lingering.clone());
        acknowledge(&local, Some(2));
        local.echo(user, 3, b"a");
        assert_eq!(taken(&local), [(user, lingering)]);
    }

    #[test]
    fn who_is_done_and_was_never_heard_of_is_forgotten_in_turn() {
        let local = Local::default();
        for _ in 0..20 {
            local.wish(UserId::random(), here("x"));
        }
        acknowledge(&local, Some(1));
        let users: Vec<UserId> = local.inner.lock().entries.keys().copied().collect();
        users.iter().for_each(|&user| local.wish(user, Wish::Gone(Exit::Lost)));
        acknowledge(&local, Some(2));
        assert_eq!((local.len(), local.waiting()), (20, 0));
        (0..10).for_each(|_| local.reassert(10));
        assert_eq!((local.len(), local.waiting()), (0, 0), "and nothing is written");
    }

    #[test]
    fn who_lingers_is_left_to_redis() {
        let (local, user) = (Local::default(), UserId::random());
        local.wish(user, here("a"));
        acknowledge(&local, Some(1));
        local.wish(user, Wish::Lingering(Bytes::from_static(b"La"), Duration::from_secs(1)));
        acknowledge(&local, Some(2));
        local.echo(user, 2, b"La");
        local.echo(user, 3, b"");
        local.write_all(true);
        assert_eq!((local.len(), local.waiting()), (0, 0), "it would come back after its deadline");
    }

    #[test]
    fn a_write_that_came_late_is_made_good() {
        let (local, user) = (Local::default(), UserId::random());
        local.wish(user, here("new"));
        let write = local.take(10).remove(0);
        local.echo(user, 4, b"old");
        local.written(&write, Some(5));
        local.echo(user, 4, b"old");
        local.echo(user, 5, b"new");
        assert_eq!(local.waiting(), 0, "in their order");
        local.echo(user, 6, b"old");
        assert_eq!(taken(&local), [(user, here("new"))]);
        let stranger = UserId::random();
        local.echo(stranger, 7, b"");
        assert_eq!(local.waiting(), 1, "that is as it should be");
        local.echo(stranger, 8, b"resurrected");
        assert_eq!(taken(&local), [(stranger, Wish::Gone(Exit::Lost))]);
    }

    #[test]
    fn what_a_redis_that_went_back_does_not_have_is_written_again() {
        let local = Local::default();
        let [here, lingers, gone] = [(); 3].map(|()| UserId::random());
        let lingering = Wish::Lingering(Bytes::from_static(b"La"), Duration::from_secs(1));
        let wishes = [(here, self::here("a")), (lingers, lingering.clone()), (gone, Wish::Gone(Exit::Lost))];
        wishes.iter().for_each(|(user, wish)| local.wish(*user, wish.clone()));
        let found = |value: &'static [u8]| wishes.iter().for_each(|(user, _)| local.found(*user, 1, value));
        found(b"old");
        acknowledge(&local, Some(2));
        local.found(here, 2, b"a");
        local.found(lingers, 2, b"");
        local.found(gone, 2, b"");
        assert_eq!(local.waiting(), 0, "that is as it should be");
        found(b"old");
        assert_eq!(taken(&local), wishes);
        let stranger = UserId::random();
        local.found(stranger, 3, b"Lold");
        assert_eq!(local.waiting(), 3, "lingers there");
        local.found(stranger, 3, b"old");
        assert_eq!(taken(&local), [(stranger, Wish::Gone(Exit::Lost))]);
    }

    #[test]
    fn what_a_dead_life_had_is_told_once_with_the_write_that_follows() {
        let local = Local::default();
        let [known, left, fresh] = [(); 3].map(|()| UserId::random());
        local.wish(known, here("a"));
        acknowledge(&local, Some(1));
        local.wish(left, here("l"));
        acknowledge(&local, Some(1));
        local.wish(fresh, here("b"));
        local.wish(left, Wish::Gone(Exit::Lost));
        // Written again for another reason, and not acknowledged.
        local.reassert(1);
        local.take(10).iter().for_each(|write| local.failed(write));
        local.write_all(true);
        local.wish(known, here("c"));
        let stood = |write: &Write| (write.user, local.written(write, Some(2)));
        let told: HashMap<_, _> = local.take(10).iter().map(stood).collect();
        let [a, l] = ["a", "l"].map(|text| Some(Bytes::from_static(text.as_bytes())));
        assert_eq!(told, HashMap::from([(known, a), (left, l), (fresh, None)]));
        local.write_all(false);
        assert!(local.take(10).iter().all(|write| local.written(write, Some(3)).is_none()));
    }

    #[test]
    fn everybody_is_written_again_in_turn() {
        let local = Local::default();
        for _ in 0..25 {
            local.wish(UserId::random(), here("x"));
        }
        acknowledge(&local, Some(1));
        let mut counts = Vec::new();
        for _ in 0..10 {
            local.reassert(10);
            let writes = local.take(100);
            writes.iter().for_each(|write| drop(local.written(write, None)));
            counts.push(writes.len());
        }
        assert_eq!(counts, [3, 3, 3, 3, 3, 3, 3, 3, 1, 3]);
        local.write_all(false);
        assert_eq!(local.waiting(), 25);
    }
}
