//! The budget of work: a client that sends too much is read later, and nobody else notices. The clock stands still, so
//! that nothing depends on how fast the machine is.

use std::time::Duration;

use hereabouts::clock::Clock;
use hereabouts::config::Config;
use hereabouts::config::value::Period;
use hereabouts::presence::time::Timestamp;
use serde_json::json;

use crate::raw::RawClient;
use crate::world::{World, change};

/// Units that a client may use at once: the burst, and the one that leads into debt.
const AT_ONCE: usize = 21;

/// Frames of one flood.
const FLOOD: usize = 50;

fn world(set: impl FnOnce(&mut Config)) -> World {
    World::at(Clock::manual(Timestamp::from_secs(1_795_220_273)), |config| {
        (config.limits.work, config.limits.work_burst) = (10, 20);
        (config.session.ping_interval, config.session.pong_timeout) =
            (Period(Duration::from_secs(3600)), Period(Duration::from_secs(7200)));
        set(config);
    })
}

/// A frame, masked with zeros.
fn frame(opcode: u8, payload: &str) -> Vec<u8> {
    let length = u8::try_from(payload.len()).unwrap();
    assert!(length < 126, "too long for a small frame");
    [&[0x80 | opcode, 0x80 | length, 0, 0, 0, 0], payload.as_bytes()].concat()
}

async fn connects(world: &World, name: &str) -> RawClient {
    RawClient::connect(world.server.address(), &format!("token={}", world.token(name))).await
}

#[actix_web::test]
async fn floods_of_every_kind_are_answered_no_faster_than_the_budget_allows() {
    let world = world(|_| {});
    let mut alice = world.hidden("alice").await;
    let mut bob = world.hidden("bob").await;
    alice.follows(&[&bob]).await;
    for (kind, frame, answer) in [
        ("pings", frame(9, ""), 10),
        ("ping messages", frame(1, r#"{"cid":"1","ping":{}}"#), 1),
        ("refused messages", frame(1, r#"{"cid":"1","rpc":{}}"#), 1),
    ] {
        let mut mallory = connects(&world, "mallory").await;
        mallory.sends(&frame.repeat(FLOOD)).await;
        for number in 0..AT_ONCE {
            assert_eq!(mallory.hears_frame().await.0, answer, "{kind}: answer {number}");
        }
        bob.sets(Some(kind)).await;
        alice.sees().await;
        assert!(mallory.has_heard_all(), "{kind}: more than the budget");
        for round in 0..2 {
            world.clock.advance(Duration::from_secs(10));
            for number in 0..AT_ONCE.min(FLOOD - (round + 1) * AT_ONCE) {
                assert_eq!(mallory.hears_frame().await.0, answer, "{kind}: answer {number} of round {round}");
            }
        }
        world.clock.advance(Duration::from_secs(10));
    }
}

#[actix_web::test]
async fn pongs_that_nobody_asked_for_delay_only_the_client_that_sends_them() {
    let world = world(|_| {});
    let mut bob = world.hidden("bob").await;
    let mut mallory = connects(&world, "mallory").await;
    mallory.sends(&[frame(10, "").repeat(AT_ONCE), frame(9, "")].concat()).await;
    bob.sets(Some("still here")).await;
    assert!(mallory.has_heard_all(), "the ping was answered");
    world.clock.advance(Duration::from_secs(10));
    assert_eq!(mallory.hears_frame().await.0, 10);
}

#[actix_web::test]
async fn a_follow_costs_as_much_as_it_names() {
    let world = world(|config| config.limits.work_burst = 200);
    let mut alice = world.hidden("alice").await;
    let bob = world.online("bob").await;
    let names: Vec<String> = (0..300).map(|number| format!("nobody-{number}")).collect();
    let mut mallory = connects(&world, "mallory").await;
    mallory.says(&json!({"cid": "1", "status_follow": {"usernames": names}})).await;
    mallory.says(&json!({"cid": "2", "ping": {}})).await;
    assert_eq!(mallory.hears().await.unwrap()["cid"], "1", "a large command is executed");
    assert_eq!(alice.follows(&[&bob]).await["status"]["presences"][0]["username"], "bob");
    assert!(mallory.has_heard_all(), "the next command was read");
    world.clock.advance(Duration::from_secs(11));
    assert_eq!(mallory.hears().await.unwrap()["cid"], "2");
}

#[actix_web::test]
async fn follows_of_thousands_and_updates_of_others_take_turns() {
    let world = World::start();
    let mut alice = world.hidden("alice").await;
    let mut bob = world.online("bob").await;
    alice.follows(&[&bob]).await;
    let mut crowd = Vec::new();
    for follower in 0..3 {
        let ids: Vec<String> = (0..1500).map(|user| format!("{follower:08x}-0000-4000-8000-{user:012x}")).collect();
        let mut client = connects(&world, &format!("follower-{follower}")).await;
        client.says(&json!({"cid": "1", "status_follow": {"user_ids": ids}})).await;
        crowd.push((client, ids));
    }
    for round in 0..20 {
        bob.sets(Some(&round.to_string())).await;
        let before = if round == 0 { "bob:".to_owned() } else { format!("bob:{}", round - 1) };
        assert_eq!(alice.sees().await, change(&[&format!("bob:{round}")], &[&before]));
    }
    for (client, ids) in &mut crowd {
        assert_eq!(client.hears().await.unwrap()["status"]["presences"], json!([]));
        client.says(&json!({"cid": "2", "status_unfollow": {"user_ids": ids}})).await;
        assert_eq!(client.hears().await.unwrap(), json!({"cid": "2"}));
    }
    drop(crowd);
    world.until_users(2).await;
}
