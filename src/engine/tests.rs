//! The engine's actors with plain outboxes in place of sessions.

mod cluster;
mod last_seen;
pub(crate) mod world;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use uuid::Uuid;
use world::*;

use super::*;
use crate::config::EngineConfig;
use crate::outbox::{Opening, OutboxReceiver};
use crate::presence::id::ConnectionId;

#[actix_web::test]
async fn a_follower_gets_every_change() {
    let world = World::new();
    let mut alice = world.connects("alice", None).await;
    alice.follows(&["bob"]);
    assert_eq!(alice.hears().await, "reply[]");
    let mut bob = world.connects("bob", Some("")).await;
    assert_eq!(alice.hears().await, "+bob:");
    bob.sets(Some("away"));
    assert_eq!(alice.hears().await, "-bob: +bob:away");
    bob.sets(None);
    assert_eq!(alice.hears().await, "-bob:away");
    bob.sets(Some("back"));
    assert_eq!(alice.hears().await, "+bob:back");
    bob.disconnects();
    assert_eq!(alice.hears().await, "-bob:back");
}

#[actix_web::test]
async fn the_acknowledgement_precedes_the_event_of_the_own_status() {
    let world = World::new();
    let mut bob = world.connects("bob", Some("")).await;
    assert_eq!(bob.hears().await, "+bob:");
    for _ in 0..100 {
        bob.sets(Some("x"));
        assert_eq!(bob.hears().await, "done");
        assert!(bob.hears().await.ends_with("+bob:x"));
    }
}

#[actix_web::test]
async fn a_follow_gets_a_snapshot_and_an_unfollow_ends_it() {
    let world = World::new();
    let mut bob = world.connects("bob", Some("one")).await;
    let _tablet = world.connects("bob", Some("two")).await;
    let _carol = world.connects("carol", Some("hi")).await;
    let mut alice = world.connects("alice", None).await;
    alice.follows(&["carol", "bob", "nobody"]);
    assert_eq!(alice.hears().await, "reply[carol:hi bob:one bob:two]");
    alice.unfollows("bob");
    assert_eq!(alice.hears().await, "done");
    bob.sets(Some("unseen"));
    alice.unfollows("carol");
    assert_eq!(alice.hears().await, "done", "a change was delivered after the unfollow");
}

#[actix_web::test]
async fn only_visible_users_are_online() {
    let world = World::new();
    let _here = world.connects("here", Some("")).await;
    let _hidden = world.connects("hidden", None).await;
    let users = ["here", "hidden", "nobody"].map(UserId::from_name);
    let online = world.engine.online(None, users.to_vec()).await.unwrap();
    assert_eq!(online.into_iter().collect::<Vec<_>>(), [users[0]]);
}

#[actix_web::test]
async fn an_idle_user_actor_retires_and_comes_back() {
    let world = World::new();
    let users = |metrics: &Metrics| metrics.engine().users.get();
    let mut alice = world.connects("alice", None).await;
    alice.follows(&["bob"]);
    assert_eq!(alice.hears().await, "reply[]");
    world.until(2, users).await;
    let bob = world.connects("bob", Some("one")).await;
    assert_eq!(alice.hears().await, "+bob:one");
    alice.unfollows("bob");
    assert_eq!(alice.hears().await, "done");
    bob.disconnects();
    world.until(1, users).await;
    let _bob = world.connects("bob", Some("two")).await;
    alice.follows(&["bob"]);
    assert_eq!(alice.hears().await, "reply[bob:two]");
    alice.disconnects();
}

#[actix_web::test]
async fn a_follow_of_an_ended_session_leaves_nothing_behind() {
    let world = World::new();
    let alice = world.connects("alice", None).await;
    let address = alice.address.clone();
    alice.disconnects();
    let bob = UserId::from_name("bob");
    world.engine.follow(UserId::random(), &[bob], &address, 1).unwrap();
    world.until(0, |metrics| metrics.engine().mailbox.get()).await;
    world.until(0, |metrics| metrics.engine().users.get()).await;
}

#[actix_web::test]
async fn no_client_notices_the_panic_of_a_user_actor() {
    let world = World::new();
    let recovered = |metrics: &Metrics| i64::try_from(metrics.engine().recovered.get()).unwrap();
    let mut alice = world.connects("alice", None).await;
    alice.follows(&["bob"]);
    assert_eq!(alice.hears().await, "reply[]");
    let mut bob = world.connects("bob", Some("one")).await;
    let mut tablet = world.connects("bob", Some("two")).await;
    assert_eq!((alice.hears().await, alice.hears().await), ("+bob:one".into(), "+bob:two".into()));
    for times in 1..=3 {
        let user = UserId::from_name("bob");
        world.engine.inject_panic(user);
        world.until(times, recovered).await;
        bob.sets(Some("three"));
        assert!(alice.hears().await.ends_with("+bob:three"), "another event, or the event twice");
        bob.sets(Some("one"));
        assert_eq!(alice.hears().await, "-bob:three +bob:one");
    }
    // A status that is set while the actor is lost stays, and a connection that ends meanwhile leaves.
    let user = UserId::from_name("bob");
    world.engine.inject_panic(user);
    tablet.sets(Some("late"));
    bob.disconnects();
    let mut seen = Vec::new();
    while !(seen.contains(&"late") && seen.contains(&"gone")) {
        let event = alice.hears().await;
        seen.extend(event.contains("+bob:late").then_some("late"));
        seen.extend(event.contains("-bob:one").then_some("gone"));
    }
    let mut carol = world.connects("carol", None).await;
    carol.follows(&["bob"]);
    assert_eq!(carol.hears().await, "reply[bob:late]");
    drop(tablet.drains_until(|drained| !drained.more).await);
}

#[actix_web::test]
async fn a_shard_refuses_users_past_its_quota() {
    let world = World::with(EngineConfig { shards: 1, max_users_per_shard: 10 });
    let mut alice = world.connects("alice", None).await;
    let absent: Vec<String> = (0..8).map(|number| format!("absent{number}")).collect();
    alice.follows(&absent.iter().map(String::as_str).collect::<Vec<_>>());
    let drained = alice.drains_until(|drained| !drained.abandoned.is_empty()).await;
    assert_eq!(drained.abandoned.len(), 1, "a fifth is kept for users that connect");
    let _bob = world.connects("bob", None).await;
    let _carol = world.connects("carol", None).await;
    let opening = Opening { connection: ConnectionId::from_uuid(Uuid::from_u128(99)), username: None, status: None };
    let address = OutboxReceiver::new(opening, &Words, 0, &world.metrics).address().clone();
    let refused = world.engine.attach(UserId::from_name("dave"), address).await;
    assert_eq!(refused.err(), Some(EngineError::Busy));
}

#[actix_web::test]
async fn a_drain_closes_every_connection() {
    let world = World::new();
    let mut alice = world.connects("alice", Some("")).await;
    let mut bob = world.connects("bob", None).await;
    world.engine.close_all(CloseRequest::Drain);
    for device in [&mut alice, &mut bob] {
        device.drains_until(|drained| drained.close_request == Some(CloseRequest::Drain)).await;
    }
}

#[actix_web::test]
async fn a_fan_out_of_several_strides_keeps_the_order() {
    let world = World::with(EngineConfig { shards: 1, max_users_per_shard: 10_000 });
    let mut bob = world.connects("bob", Some("0")).await;
    let mut followers = Vec::new();
    for number in 0..1300 {
        let mut follower = world.connects(&format!("follower-{number}"), None).await;
        follower.follows(&["bob"]);
        assert_eq!(follower.hears().await, "reply[bob:0]");
        followers.push(follower);
    }
    for status in ["1", "2", "3"] {
        bob.sets(Some(status));
        bob.drains_until(|drained| drained.completed).await;
    }
    for follower in &mut followers {
        for (before, after) in [("0", "1"), ("1", "2"), ("2", "3")] {
            assert_eq!(follower.hears().await, format!("-bob:{before} +bob:{after}"));
        }
    }
}

#[actix_web::test]
async fn a_fan_out_continues_past_followers_that_are_slow_to_wake() {
    let world = World::with(EngineConfig { shards: 1, max_users_per_shard: 10_000 });
    let mut bob = world.connects("bob", Some("0")).await;
    let mut followers = Vec::new();
    for number in 0..600 {
        let mut follower = world.connects(&format!("follower-{number}"), None).await;
        follower.follows(&["bob"]);
        assert_eq!(follower.hears().await, "reply[bob:0]");
        // Leaves a waker and does not read again by itself.
        assert!(follower.outbox.poll_drain(&follower.alarm, usize::MAX, drop).is_pending());
        followers.push(follower);
    }
    bob.sets(Some("1"));
    bob.drains_until(|drained| drained.completed).await;
    for follower in &mut followers {
        assert_eq!(follower.hears().await, "-bob:0 +bob:1");
    }
    // A replacement actor would have notified them too.
    assert_eq!(world.metrics.engine().recovered.get(), 0);
}
