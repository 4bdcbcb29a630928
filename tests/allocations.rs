//! One user and her followers, through the engine and their outboxes: a delivery allocates nothing.
//!
//! All threads are counted together, so this file has one test.

#![allow(clippy::unwrap_used, reason = "a test that does not find what it expects fails")]

use std::alloc;
use std::time::Duration;

use actix_web::rt::System;
use hereabouts::clock::Clock;
use hereabouts::config::EngineConfig;
use hereabouts::dialect::nakama::Format;
use hereabouts::engine::{ConnectionHandle, Engine, LastSeenRecorder, Ports};
use hereabouts::metrics::Metrics;
use hereabouts::outbox::{Opening, OutboxReceiver, RequestTag};
use hereabouts::presence::id::{ConnectionId, UserId};
use hereabouts::presence::status::StatusText;
use hereabouts::presence::time::Timestamp;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};
use uuid::Uuid;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<alloc::System> = &INSTRUMENTED_SYSTEM;

/// Updates of which the one with the fewest allocations counts: queues of the runtimes grow now and then, and the
/// first update finds everything cold.
const UPDATES: usize = 10;

/// What the counts may differ by: a fan-out beyond one stride is put on the heap, and each rest between two strides
/// takes one or two.
const SLACK: usize = 8;

/// Followers of a stride, at least.
const STRIDE: usize = 256;

/// How often any thread has allocated so far, growth in place included.
fn allocated() -> usize {
    let stats = ALLOCATOR.stats();
    stats.allocations + stats.reallocations
}

struct World {
    engine: Engine,
    alice: ConnectionHandle,
    outbox: OutboxReceiver,
    followers: Vec<OutboxReceiver>,
}

fn outbox(number: usize, metrics: &Metrics) -> OutboxReceiver {
    let connection = ConnectionId::from_uuid(Uuid::from_u128(u128::try_from(number).unwrap() + 1));
    let format = if number.is_multiple_of(2) { Format::Json } else { Format::Protobuf };
    let opening = Opening { connection, username: None, status: None };
    OutboxReceiver::new(opening, format.protocol().as_codec(), 1 << 16, metrics)
}

impl World {
    /// Alice, with that many followers in either of Nakama's formats.
    async fn new(count: usize) -> Self {
        let metrics = Metrics::new();
        let config = EngineConfig { shards: 1, max_users_per_shard: 10 };
        let clock = Clock::manual(Timestamp::from_secs(1));
        let recorder = LastSeenRecorder::new(None, Duration::from_secs(27), &clock);
        let engine = Engine::start(&config, Ports::open(recorder), &clock, &metrics);
        let user = UserId::from_name("alice");
        let outbox = outbox(count, &metrics);
        let alice = engine.attach(user, outbox.address().clone()).await.unwrap();
        let followers: Vec<OutboxReceiver> = (0..count).map(|number| self::outbox(number, &metrics)).collect();
        for follower in &followers {
            follower.await_follow(1, RequestTag::default(), &[user]);
            engine.follow(UserId::random(), &[user], follower.address(), 1).unwrap();
        }
        let world = Self { engine, alice, outbox, followers };
        world.settled().await;
        world.followers.iter().for_each(|follower| assert!(follower.drain(usize::MAX, drop).completed));
        world
    }

    /// Returns when Alice's actor has done all that it was asked before.
    async fn settled(&self) {
        let known = self.engine.inspect(vec![self.alice.user()]).await.unwrap();
        assert_eq!(known.len(), 1);
    }

    /// How often anything is allocated until every follower has the update in the outbox.
    async fn update(&self, round: usize) -> usize {
        let status = StatusText::new(&format!("round {round:03}")).unwrap();
        let before = allocated();
        self.alice.set_status(Some(status), 2).unwrap();
        self.settled().await;
        let count = allocated() - before;
        self.outbox.drain(usize::MAX, drop);
        for follower in &self.followers {
            let mut frames = 0;
            follower.drain(usize::MAX, |_| frames += 1);
            assert_eq!(frames, 1, "a follower of {} was not told once", self.followers.len());
        }
        count
    }
}

async fn allocations(followers: usize) -> usize {
    let world = World::new(followers).await;
    let mut fewest = usize::MAX;
    for round in 0..UPDATES {
        fewest = fewest.min(world.update(round).await);
    }
    world.engine.stop();
    fewest
}

#[test]
fn an_update_allocates_as_often_for_ten_thousand_followers_as_for_a_hundred() {
    let counts = [100, 1_000, 10_000].map(|followers| System::new().block_on(allocations(followers)));
    let [hundred, thousand, ten_thousand] = counts;
    assert!(hundred > 0, "nothing was counted");
    let allowed = |followers: usize| hundred + SLACK + 2 * followers / STRIDE;
    assert!(thousand <= allowed(1_000) && ten_thousand <= allowed(10_000), "allocations: {counts:?}");
}
