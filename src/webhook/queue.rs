//! The queue of events for one receiver. Pure: it takes the time and the outcome of each attempt, and returns what to
//! do next.
//!
//! * The events of one user form a queue of their own: one is under way at a time, and none overtakes another.
//! * A lost connection waits for the grace period first. A login of the same user on the same platform within it removes
//!   both.
//! * While the receiver fails, one request is under way at a time, after a random delay with a bound that doubles (full
//!   jitter). An event that failed waits by its own count of failures, so that an event that the receiver never takes
//!   delays only the events of its user.
//! * When the queue is full, the oldest waiting event is dropped: newer events say more about the present.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::change::{Transition, WebhookEvent};
use crate::presence::id::UserId;
use crate::presence::time::Timestamp;

/// Limits and delays of a queue.
#[derive(Clone, Copy, Debug)]
pub struct DeliveryRules {
    /// Maximum number of events, including those under way.
    pub max_events: usize,
    /// How long a lost connection waits for a login.
    pub grace: Duration,
    /// Maximum number of requests under way while the receiver works.
    pub max_parallel: usize,
    /// Bound of the delay after the first failure.
    pub first_delay: Duration,
    /// Bound of every delay.
    pub max_delay: Duration,
    /// Age at which a failed event is dropped.
    pub max_age: Duration,
}

/// Events for one receiver.
#[derive(Debug)]
pub struct WebhookQueue {
    rules: DeliveryRules,
    /// Users with an event that waits or is under way.
    users: HashMap<UserId, UserQueue>,
    /// Everything that waits, oldest first: the order in which a full queue drops events.
    ages: BTreeMap<u64, UserId>,
    /// The first event of each user without one under way, by the time from which it may be sent.
    ready: BTreeSet<(Timestamp, u64, UserId)>,
    /// Numbers events in the order in which they were offered.
    next_number: u64,
    /// Number of events under way.
    under_way: usize,
    /// Failures since the last success.
    failures: u32,
    /// Nothing is sent before this time, because the receiver fails.
    paused_until: Timestamp,
}

/// Events of one user.
#[derive(Debug, Default)]
struct UserQueue {
    waiting: VecDeque<QueuedEvent>,
    is_under_way: bool,
}

/// An event that waits.
#[derive(Debug)]
struct QueuedEvent {
    number: u64,
    event: Arc<WebhookEvent>,
    offered: Timestamp,
    /// Time from which it may be sent.
    ready: Timestamp,
    attempts: u32,
}

/// Outcome of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OfferResult {
    /// The event waits.
    Queued,
    /// The event waits, and the oldest event was dropped for it.
    Displaced,
    /// The event is a login that cancels a lost connection in its grace period. Neither is sent.
    Undone,
}

/// What to do next.
#[derive(Debug)]
pub enum QueueAction {
    /// Send the event, then call [`WebhookQueue::settle`].
    Send(Attempt),
    /// Call [`WebhookQueue::next`] again at this time, or after an offer or an outcome.
    WaitUntil(Timestamp),
    /// Call [`WebhookQueue::next`] again after an offer or an outcome.
    Wait,
}

/// An attempt to deliver an event.
#[derive(Debug)]
pub struct Attempt {
    /// The event to send.
    pub event: Arc<WebhookEvent>,
    number: u64,
    offered: Timestamp,
    attempts: u32,
}

/// How a receiver responded to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostOutcome {
    /// It accepted the event.
    Accepted,
    /// It did not, or could not be reached.
    Failed,
}

/// What became of the event after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptResult {
    /// The receiver has the event.
    Sent,
    /// The event waits for another attempt.
    Waits,
    /// The event is too old for another attempt and was dropped.
    Dead,
}

impl WebhookQueue {
    /// An empty queue.
    pub fn new(rules: DeliveryRules) -> Self {
        Self {
            rules,
            users: HashMap::new(),
            ages: BTreeMap::new(),
            ready: BTreeSet::new(),
            next_number: 0,
            under_way: 0,
            failures: 0,
            paused_until: Timestamp::default(),
        }
    }

    /// Returns the number of events, including those under way.
    pub fn event_count(&self) -> usize {
        self.ages.len() + self.under_way
    }

    /// Returns the number of failures since the last success.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Adds an event. A full queue drops its oldest waiting event, or the offered one when every event is under way.
    pub fn offer(&mut self, event: Arc<WebhookEvent>, now: Timestamp) -> OfferResult {
        if event.change.transition == Transition::Login && self.undo_loss(&event, now) {
            return OfferResult::Undone;
        }
        let is_full = self.event_count() >= self.rules.max_events;
        if is_full && !self.drop_oldest() {
            return OfferResult::Displaced;
        }
        let ready = match event.change.transition {
            Transition::Disconnect(_) => now + self.rules.grace,
            Transition::Login | Transition::Logout => now,
        };
        let user = event.change.user;
        let number = self.next_number;
        self.next_number += 1;
        self.change_user(user, |queue| {
            queue.waiting.push_back(QueuedEvent { number, event, offered: now, ready, attempts: 0 });
        });
        self.ages.insert(number, user);
        if is_full { OfferResult::Displaced } else { OfferResult::Queued }
    }

    /// Returns what to do at this time.
    pub fn next(&mut self, now: Timestamp) -> QueueAction {
        let max_under_way = if self.failures == 0 { self.rules.max_parallel } else { 1 };
        if self.under_way >= max_under_way {
            return QueueAction::Wait;
        }
        let Some(&(ready, _, user)) = self.ready.first() else { return QueueAction::Wait };
        let at = ready.max(self.paused_until);
        if at > now {
            return QueueAction::WaitUntil(at);
        }
        let first = self.change_user(user, |queue| {
            queue.is_under_way = true;
            queue.waiting.pop_front().expect("a user that is ready has an event")
        });
        self.under_way += 1;
        self.ages.remove(&first.number);
        let QueuedEvent { number, event, offered, attempts, .. } = first;
        QueueAction::Send(Attempt { event, number, offered, attempts })
    }

    /// Ends an attempt. `random` is from 0 to 1 and spreads the next attempt.
    pub fn settle(&mut self, attempt: Attempt, outcome: PostOutcome, now: Timestamp, random: f64) -> AttemptResult {
        let Attempt { event, number, offered, attempts } = attempt;
        let user = event.change.user;
        self.under_way -= 1;
        let result = match outcome {
            PostOutcome::Accepted => {
                self.failures = 0;
                self.paused_until = Timestamp::default();
                AttemptResult::Sent
            }
            PostOutcome::Failed => {
                self.paused_until = now + self.delay(self.failures).mul_f64(random);
                self.failures = self.failures.saturating_add(1);
                if now.since(offered) >= self.rules.max_age { AttemptResult::Dead } else { AttemptResult::Waits }
            }
        };
        let ready = now + self.delay(attempts).mul_f64(random);
        self.change_user(user, |queue| {
            queue.is_under_way = false;
            if result == AttemptResult::Waits {
                let attempts = attempts.saturating_add(1);
                queue.waiting.push_front(QueuedEvent { number, event, offered, ready, attempts });
            }
        });
        if result == AttemptResult::Waits {
            self.ages.insert(number, user);
        }
        result
    }

    /// Ends every wait for a grace period or after a failure, because the server stops.
    pub fn flush(&mut self, now: Timestamp) {
        self.rules.grace = Duration::ZERO;
        self.paused_until = now;
        let users: Vec<UserId> = self.users.keys().copied().collect();
        for user in users {
            self.change_user(user, |queue| {
                for queued in &mut queue.waiting {
                    queued.ready = queued.ready.min(now);
                }
            });
        }
    }

    /// Returns the bound of the delay after this many earlier failures.
    fn delay(&self, failures: u32) -> Duration {
        let doubled = 2_u32.checked_pow(failures).and_then(|factor| self.rules.first_delay.checked_mul(factor));
        doubled.map_or(self.rules.max_delay, |delay| delay.min(self.rules.max_delay))
    }

    /// Removes the latest lost connection of the same user and platform that is still in its grace period. Returns
    /// whether there was one.
    fn undo_loss(&mut self, login: &WebhookEvent, now: Timestamp) -> bool {
        let user = login.change.user;
        let Some(queue) = self.users.get(&user) else { return false };
        let is_same_loss = |queued: &QueuedEvent| match queued.event.change.transition {
            Transition::Disconnect(_) => queued.event.change.platform == login.change.platform,
            Transition::Login | Transition::Logout => false,
        };
        let is_in_grace = |queued: &QueuedEvent| queued.attempts == 0 && queued.ready > now;
        let undone = |queued: &QueuedEvent| is_same_loss(queued) && is_in_grace(queued);
        let Some(at) = queue.waiting.iter().rposition(undone) else { return false };
        let number = queue.waiting[at].number;
        self.change_user(user, |queue| queue.waiting.remove(at));
        self.ages.remove(&number);
        true
    }

    /// Drops the oldest waiting event. Returns `false` when every event is under way.
    fn drop_oldest(&mut self) -> bool {
        let Some((number, user)) = self.ages.pop_first() else { return false };
        self.change_user(user, |queue| {
            let at = queue.waiting.iter().position(|queued| queued.number == number);
            queue.waiting.remove(at.expect("an event with an age waits in the queue of its user"))
        });
        true
    }

    /// Changes the queue of a user. Every change goes through here: it keeps `ready` in step and removes empty queues.
    fn change_user<R>(&mut self, user: UserId, change: impl FnOnce(&mut UserQueue) -> R) -> R {
        let queue = self.users.entry(user).or_default();
        let before = queue.first_ready();
        let result = change(queue);
        let after = queue.first_ready();
        if !queue.is_under_way && queue.waiting.is_empty() {
            self.users.remove(&user);
        }
        if before != after {
            if let Some((ready, number)) = before {
                self.ready.remove(&(ready, number, user));
            }
            if let Some((ready, number)) = after {
                self.ready.insert((ready, number, user));
            }
        }
        result
    }
}

impl UserQueue {
    /// Returns when the first event may be sent, and its number. `None` means that one is under way or none waits.
    fn first_ready(&self) -> Option<(Timestamp, u64)> {
        self.waiting.front().filter(|_| !self.is_under_way).map(|first| (first.ready, first.number))
    }
}
