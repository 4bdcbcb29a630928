//! A client that stops reading, in the midst of many who go on: its outbox stays small, and it ends with the truth.
//!
//! All threads are counted together, so this file has one test.

#![allow(clippy::unwrap_used, reason = "a test that does not find what it expects fails")]

use std::alloc::System;
use std::collections::BTreeMap;
use std::sync::Arc;

use hereabouts::dialect::nakama::Format;
use hereabouts::metrics::Metrics;
use hereabouts::outbox::{Address, DeliveryCounts, DeliveryMode, Frame, Notification, Opening, OutboxReceiver};
use hereabouts::presence::id::{ConnectionId, UserId};
use hereabouts::presence::status::StatusText;
use hereabouts::presence::time::Timestamp;
use hereabouts::presence::user::{Event, UserPresence};
use serde_json::Value;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use uuid::Uuid;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const USERS: usize = 1_000;

const UPDATES: usize = 100_000;

/// Bytes that may wait before changes fold.
const BOUND: usize = 1 << 16;

/// The longest event of this test on the wire.
const EVENT: usize = 512;

/// The most that a folded change of one user takes on the heap, its place in the table and the queue included.
const FOLDED: usize = 512;

/// Bytes allocated and not freed yet.
fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

struct World {
    users: Vec<UserPresence<Address>>,
    stalled: OutboxReceiver,
    metrics: Metrics,
    updates: usize,
}

fn outbox(number: usize, metrics: &Metrics) -> OutboxReceiver {
    let opening = Opening { connection: connection(number), username: None, status: None };
    OutboxReceiver::new(opening, Format::Json.protocol().as_codec(), BOUND, metrics)
}

fn connection(number: usize) -> ConnectionId {
    ConnectionId::from_uuid(uuid(number))
}

fn uuid(number: usize) -> Uuid {
    Uuid::from_u128(u128::try_from(number).unwrap() + 1)
}

impl World {
    /// Users of one invisible connection each, and somebody who follows all of them.
    fn new() -> Self {
        let metrics = Metrics::new();
        let stalled = outbox(USERS, &metrics);
        let users = (0..USERS).map(|number| {
            let mut user = UserPresence::new(UserId::from_uuid(uuid(number)));
            let own = outbox(number, &metrics).address().clone();
            user.handle(Event::Connected(own.announce().unwrap()), Timestamp::default());
            user.handle(Event::Unfollowed(own), Timestamp::default());
            user.handle(Event::Followed(stalled.address().clone()), Timestamp::default());
            user
        });
        Self { users: users.collect(), stalled, metrics, updates: 0 }
    }

    /// Somebody shows another status, or none: a tenth of the time.
    fn update(&mut self) {
        self.updates += 1;
        let number = self.updates * 7919 % USERS;
        let text = StatusText::new(&format!("status {:06}", self.updates)).unwrap();
        let status = (self.updates * 31 % 101 >= 10).then_some(text);
        let event = Event::StatusSet { connection: connection(number), status };
        let user = &mut self.users[number];
        let Some(diff) = user.handle(event, Timestamp::from_secs(1)).notify else { return };
        let (notification, mut counts) =
            (Notification::new(diff, Arc::new(user.snapshot()), user.snapshot()), DeliveryCounts::default());
        for follower in user.followers().iter() {
            follower.notify(&notification, DeliveryMode::Coalesced(Timestamp::default()), &mut counts);
        }
        counts.record(&self.metrics);
    }

    fn waiting(&self) -> usize {
        usize::try_from(self.metrics.engine().outbox_bytes.get()).unwrap()
    }

    fn truth(&self) -> BTreeMap<String, String> {
        let snapshots = self.users.iter().map(UserPresence::snapshot);
        let shown = snapshots.filter_map(|snapshot| Some((snapshot.user, snapshot.presences.first()?.status.clone())));
        shown.map(|(user, status)| (user.to_string(), status.as_str().to_owned())).collect()
    }
}

/// Takes an event into what a client shows.
fn read(shown: &mut BTreeMap<String, String>, frame: &Frame) {
    let envelope: Value = serde_json::from_str(frame.as_text().unwrap()).unwrap();
    let event = &envelope["status_presence_event"];
    let pair = |presence: &Value| ["user_id", "status"].map(|key| presence[key].as_str().unwrap().to_owned());
    for [user, status] in event["leaves"].as_array().unwrap().iter().map(pair) {
        assert_eq!(shown.remove(&user), Some(status), "left what was not there");
    }
    for [user, status] in event["joins"].as_array().unwrap().iter().map(pair) {
        assert_eq!(shown.insert(user, status), None, "joined twice");
    }
}

#[test]
fn a_client_that_stops_reading_costs_what_it_follows_and_ends_with_the_truth() {
    let mut world = World::new();
    (0..USERS).for_each(|_| world.update());
    while world.stalled.drain(usize::MAX, drop).more {}
    let mut shown = world.truth();
    let before = held();
    let mut most_waiting = 0;
    let mut most_held = 0;
    for _ in 0..UPDATES {
        world.update();
        most_waiting = most_waiting.max(world.waiting());
        most_held = most_held.max(held().saturating_sub(before));
    }
    assert!((BOUND - EVENT..BOUND + EVENT).contains(&most_waiting), "{most_waiting} bytes waited");
    // A frame takes less on the heap around it than it has bytes.
    let allowed = 2 * BOUND + USERS * FOLDED;
    assert!((BOUND..allowed).contains(&most_held), "{most_held} bytes held, {allowed} allowed");

    let mut frames = 0;
    while world
        .stalled
        .drain(16 * 1024, |frame| {
            frames += 1;
            read(&mut shown, &frame);
        })
        .more
    {}
    assert_eq!(shown, world.truth());
    assert!(frames < USERS + BOUND / 128, "{frames} events for {USERS} users");
    assert_eq!(world.waiting(), 0);
    let left = held().saturating_sub(before);
    assert!(left < BOUND, "{left} bytes held after all was read");
}
