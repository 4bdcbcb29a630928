//! What waits for one receiver. Pure: it is told the time and what became of each attempt, and says what to do next.
//!
//! * The events of one user form a lane: one is under way at a time, and none overtakes another.
//! * A loss waits for the grace first. A login of the same user on the same platform within it undoes both.
//! * While the receiver fails, one request is under way at a time, after a random delay whose bound doubles (full
//!   jitter); an event that failed waits by its own count of failures, so that one that is never taken holds up nobody
//!   but its user.
//! * When full, the oldest event that waits is dropped: what is newer says more about the present.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::change::{Event, Transition};
use crate::presence::id::UserId;
use crate::presence::time::Timestamp;

/// What a queue goes by.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Events that may be held, those under way included.
    pub bound: usize,
    /// How long a loss waits for a login.
    pub grace: Duration,
    /// Requests under way while all is well.
    pub parallel: usize,
    /// Bound of the delay after the first failure.
    pub first_delay: Duration,
    /// Bound of every delay.
    pub longest_delay: Duration,
    /// Age from which a failed event is given up.
    pub give_up: Duration,
}

/// Events for one receiver.
#[derive(Debug)]
pub struct Queue {
    rules: Rules,
    /// Users with an event that waits or is under way.
    lanes: HashMap<UserId, UserQueue>,
    /// Everything that waits, oldest first: what goes when the queue is full.
    ages: BTreeMap<u64, UserId>,
    /// The first event of each lane that has none under way, by when it may be sent.
    due: BTreeSet<(Timestamp, u64, UserId)>,
    /// Numbers events in the order in which they were offered.
    next_number: u64,
    under_way: usize,
    /// Failures since the last success.
    failures: u32,
    /// Nothing is sent before, because the receiver fails.
    quiet_until: Timestamp,
}

#[derive(Debug, Default)]
struct UserQueue {
    waiting: VecDeque<Waiting>,
    under_way: bool,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    event: Arc<Event>,
    offered: Timestamp,
    /// Not sent before.
    ready: Timestamp,
    attempts: u32,
}

/// What became of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offered {
    /// It waits.
    Queued,
    /// It waits, and the oldest went for it.
    Displaced,
    /// It takes back a loss that nobody has heard of; neither is told.
    Undone,
}

/// What to do next.
#[derive(Debug)]
pub enum Step {
    /// Send this, and [`Queue::settle`] it.
    Send(Delivery),
    /// Ask again then, or when anything else happens.
    WaitUntil(Timestamp),
    /// Ask again when anything happens.
    Wait,
}

/// An event to be sent.
#[derive(Debug)]
pub struct Delivery {
    /// What to send.
    pub event: Arc<Event>,
    number: u64,
    offered: Timestamp,
    attempts: u32,
}

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The receiver has it.
    Sent,
    /// It waits for another attempt.
    Waits,
    /// It is given up.
    Dead,
}

impl Queue {
    /// An empty queue.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            lanes: HashMap::new(),
            ages: BTreeMap::new(),
            due: BTreeSet::new(),
            next_number: 0,
            under_way: 0,
            failures: 0,
            quiet_until: Timestamp::default(),
        }
    }

    /// Events held, those under way included.
    pub fn held(&self) -> usize {
        self.ages.len() + self.under_way
    }

    /// Failures since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Takes an event in.
    pub fn offer(&mut self, event: Arc<Event>, now: Timestamp) -> Offered {
        if event.change.transition == Transition::Login && self.undo_loss(&event, now) {
            return Offered::Undone;
        }
        let full = self.held() >= self.rules.bound;
        if full && !self.drop_oldest() {
            return Offered::Displaced;
        }
        let ready = match event.change.transition {
            Transition::Disconnect(_) => now + self.rules.grace,
            Transition::Login | Transition::Logout => now,
        };
        let user = event.change.user;
        let number = self.next_number;
        self.next_number += 1;
        self.change_lane(user, |lane| {
            lane.waiting.push_back(Waiting { number, event, offered: now, ready, attempts: 0 });
        });
        self.ages.insert(number, user);
        if full { Offered::Displaced } else { Offered::Queued }
    }

    /// What to do at this time.
    pub fn next(&mut self, now: Timestamp) -> Step {
        let places = if self.failures == 0 { self.rules.parallel } else { 1 };
        if self.under_way >= places {
            return Step::Wait;
        }
        let Some(&(ready, _, user)) = self.due.first() else { return Step::Wait };
        let at = ready.max(self.quiet_until);
        if at > now {
            return Step::WaitUntil(at);
        }
        let first = self.change_lane(user, |lane| {
            lane.under_way = true;
            lane.waiting.pop_front().expect("a lane that is due has an event")
        });
        self.under_way += 1;
        self.ages.remove(&first.number);
        let Waiting { number, event, offered, attempts, .. } = first;
        Step::Send(Delivery { event, number, offered, attempts })
    }

    /// Takes back what was to be sent. `random` is from 0 to 1 and spreads the next attempt.
    pub fn settle(&mut self, delivery: Delivery, sent: bool, now: Timestamp, random: f64) -> Settled {
        let Delivery { event, number, offered, attempts } = delivery;
        let user = event.change.user;
        self.under_way -= 1;
        if sent {
            self.failures = 0;
            self.quiet_until = Timestamp::default();
        } else {
            self.quiet_until = now + self.delay(self.failures).mul_f64(random);
            self.failures = self.failures.saturating_add(1);
        }
        let settled = match sent {
            true => Settled::Sent,
            false if now.since(offered) >= self.rules.give_up => Settled::Dead,
            false => Settled::Waits,
        };
        let ready = now + self.delay(attempts).mul_f64(random);
        self.change_lane(user, |lane| {
            lane.under_way = false;
            if settled == Settled::Waits {
                let attempts = attempts.saturating_add(1);
                lane.waiting.push_front(Waiting { number, event, offered, ready, attempts });
            }
        });
        if settled == Settled::Waits {
            self.ages.insert(number, user);
        }
        settled
    }

    /// No event waits any longer for a grace or after a failure: the server stops.
    pub fn hurry(&mut self, now: Timestamp) {
        self.rules.grace = Duration::ZERO;
        self.quiet_until = now;
        let users: Vec<UserId> = self.lanes.keys().copied().collect();
        for user in users {
            self.change_lane(user, |lane| {
                for waiting in &mut lane.waiting {
                    waiting.ready = waiting.ready.min(now);
                }
            });
        }
    }

    /// The bound of the delay after this many earlier failures.
    fn delay(&self, failures: u32) -> Duration {
        let doubled = 2_u32.checked_pow(failures).and_then(|factor| self.rules.first_delay.checked_mul(factor));
        doubled.map_or(self.rules.longest_delay, |delay| delay.min(self.rules.longest_delay))
    }

    /// Takes back the latest loss of the same user and platform that is still in its grace, if there is one.
    fn undo_loss(&mut self, login: &Event, now: Timestamp) -> bool {
        let user = login.change.user;
        let Some(lane) = self.lanes.get(&user) else { return false };
        let of_same = |waiting: &Waiting| match waiting.event.change.transition {
            Transition::Disconnect(_) => waiting.event.change.platform == login.change.platform,
            Transition::Login | Transition::Logout => false,
        };
        let held = |waiting: &Waiting| waiting.attempts == 0 && waiting.ready > now;
        let Some(at) = lane.waiting.iter().rposition(|waiting| of_same(waiting) && held(waiting)) else { return false };
        let number = lane.waiting[at].number;
        self.change_lane(user, |lane| lane.waiting.remove(at));
        self.ages.remove(&number);
        true
    }

    /// Makes room; `false` when everything is under way.
    fn drop_oldest(&mut self) -> bool {
        let Some((number, user)) = self.ages.pop_first() else { return false };
        self.change_lane(user, |lane| {
            let at = lane.waiting.iter().position(|waiting| waiting.number == number);
            lane.waiting.remove(at.expect("what has an age waits in its lane"))
        });
        true
    }

    /// The only way to touch a lane: keeps `due` true, and forgets lanes that are empty.
    fn change_lane<R>(&mut self, user: UserId, change: impl FnOnce(&mut UserQueue) -> R) -> R {
        let lane = self.lanes.entry(user).or_default();
        let before = lane.due();
        let result = change(lane);
        let after = lane.due();
        if !lane.under_way && lane.waiting.is_empty() {
            self.lanes.remove(&user);
        }
        if before != after {
            if let Some((ready, number)) = before {
                self.due.remove(&(ready, number, user));
            }
            if let Some((ready, number)) = after {
                self.due.insert((ready, number, user));
            }
        }
        result
    }
}

impl UserQueue {
    /// When its first event may be sent, and which it is; none while one is under way.
    fn due(&self) -> Option<(Timestamp, u64)> {
        self.waiting.front().filter(|_| !self.under_way).map(|first| (first.ready, first.number))
    }
}
