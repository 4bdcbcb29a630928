//! Status as people use it (section 3.3 of the Nakama protocol).

use hereabouts::store::accounts::{Account, LoginKey};
use serde_json::json;

use crate::world::{World, change, shown, user};

#[actix_web::test]
async fn a_status_is_seen_by_who_follows() {
    let world = World::start();
    let mut alice = world.hidden("alice").await;
    let mut bob = world.online("bob").await;
    assert_eq!(shown(&alice.follows(&[&bob]).await["status"]["presences"]), ["bob:"]);
    bob.sets(Some("hello")).await;
    assert_eq!(alice.sees().await, change(&["bob:hello"], &["bob:"]));
    bob.sets(Some("hello")).await;
    assert_eq!(alice.sees().await, change(&["bob:hello"], &["bob:hello"]), "the same again is told too");
    bob.sets(None).await;
    assert_eq!(alice.sees().await, change(&[], &["bob:hello"]));
    bob.sets(None).await;
    bob.sets(Some("back")).await;
    assert_eq!(alice.sees().await, change(&["bob:back"], &[]), "hiding twice is told once");
    drop(bob);
    assert_eq!(alice.sees().await, change(&[], &["bob:back"]));
}

#[actix_web::test]
async fn the_acknowledgement_comes_before_the_own_event() {
    let world = World::start();
    let mut bob = world.online("bob").await;
    for round in 0..50 {
        bob.sets(Some(&round.to_string())).await;
        assert_eq!(bob.sees().await.0, [format!("bob:{round}")]);
    }
}

#[actix_web::test]
async fn pipelined_commands_are_answered_in_order() {
    let world = World::start();
    let mut alice = world.hidden("alice").await;
    let mut bob = world.hidden("bob").await;
    alice.follows(&[&bob]).await;
    let mut cids = Vec::new();
    for round in 0..50 {
        let status = if round % 2 == 0 { json!("on") } else { json!(null) };
        cids.push(bob.asks(json!({"status_update": {"status": status}})).await);
        cids.push(bob.asks(json!({"ping": {}})).await);
        cids.push(bob.asks(json!({"status_follow": {"user_ids": [alice.id()]}})).await);
    }
    let mut answered = Vec::new();
    while answered.len() < cids.len() {
        let frame = bob.hears().await;
        answered.extend(frame["cid"].as_str().map(str::to_owned));
    }
    assert_eq!(answered, cids);
    for _ in 0..25 {
        assert_eq!(alice.sees().await, change(&["bob:on"], &[]));
        assert_eq!(alice.sees().await, change(&[], &["bob:on"]));
    }
}

#[actix_web::test]
async fn two_devices_are_two_presences() {
    let world = World::start();
    let mut alice = world.hidden("alice").await;
    let mut phone = world.online("bob").await;
    let mut tablet = world.hidden("bob").await;
    phone.sets(Some("one")).await;
    tablet.sets(Some("two")).await;
    assert_eq!(shown(&alice.follows(&[&phone]).await["status"]["presences"]), ["bob:one", "bob:two"]);
    drop(tablet);
    assert_eq!(alice.sees().await, change(&[], &["bob:two"]));
    assert_eq!(
        world.components.engine.online(None, vec![user("bob")]).await.unwrap().len(),
        1,
        "still here with the other device"
    );
}

#[actix_web::test]
async fn a_new_device_hears_of_itself_and_its_own_user_hears_of_it() {
    let world = World::start();
    let mut phone = world.online("bob").await;
    let mut tablet = world.connects("bob", "status=true").await;
    assert_eq!(phone.sees().await, change(&["bob:"], &[]));
    assert_eq!(tablet.sees().await, change(&["bob:"], &[]), "no snapshot of the other device");
    tablet.hears_nothing_more().await;
}

#[actix_web::test]
async fn following_oneself_is_not_an_error_and_not_to_be_ended() {
    let world = World::start();
    let mut bob = world.online("bob").await;
    let own = bob.id();
    let reply = bob.asks_and_hears(json!({"status_follow": {"user_ids": [own]}})).await;
    assert_eq!(reply["status"], json!({"presences": []}));
    bob.asks_and_hears(json!({"status_unfollow": {"user_ids": [own]}})).await;
    bob.sets(Some("x")).await;
    assert_eq!(bob.sees().await, change(&["bob:x"], &["bob:"]));
}

#[actix_web::test]
async fn following_twice_is_told_once_and_unfollowing_ends_it() {
    let world = World::start();
    let mut alice = world.hidden("alice").await;
    let mut bob = world.online("bob").await;
    alice.follows(&[&bob]).await;
    assert_eq!(shown(&alice.follows(&[&bob, &bob]).await["status"]["presences"]), ["bob:"]);
    bob.sets(Some("once")).await;
    assert_eq!(alice.sees().await, change(&["bob:once"], &["bob:"]));
    alice.hears_nothing_more().await;
    let bob_id = bob.id();
    alice.asks_and_hears(json!({"status_unfollow": {"user_ids": [bob_id]}})).await;
    bob.sets(Some("unseen")).await;
    alice.hears_nothing_more().await;
}

#[actix_web::test]
async fn who_is_offline_when_followed_is_seen_when_it_comes() {
    let world = World::start();
    let mut alice = world.hidden("alice").await;
    let nobody_yet = user("bob").to_string();
    let reply = alice.asks_and_hears(json!({"status_follow": {"user_ids": [nobody_yet]}})).await;
    assert_eq!(reply["status"], json!({"presences": []}));
    let _bob = world.online("bob").await;
    assert_eq!(alice.sees().await, change(&["bob:"], &[]));
}

#[actix_web::test]
async fn a_user_is_followed_by_name() {
    let world = World::start();
    let key = LoginKey::Custom("custom-bob".into());
    let username = hereabouts::presence::id::Username::new("bob").unwrap();
    let account = Account { id: user("bob"), ..Account::new(username, key, None, world.clock.now()) };
    world.components.stores.accounts.create(account).await.unwrap();
    let mut alice = world.hidden("alice").await;
    let mut bob = world.online("bob").await;
    let ask = json!({"status_follow": {"user_ids": [bob.id()], "usernames": ["bob", "nobody", "BOB"]}});
    let reply = alice.asks_and_hears(ask).await;
    assert_eq!(shown(&reply["status"]["presences"]), ["bob:"], "by id and by name is once");
    bob.sets(Some("x")).await;
    assert_eq!(alice.sees().await, change(&["bob:x"], &["bob:"]));
    alice.hears_nothing_more().await;
}

#[actix_web::test]
async fn a_wrong_id_in_a_follow_follows_nobody() {
    let world = World::start();
    let mut alice = world.hidden("alice").await;
    let mut bob = world.online("bob").await;
    let error = alice.asks_and_hears(json!({"status_follow": {"user_ids": [bob.id(), "notauuid"]}})).await;
    assert_eq!(error["error"], json!({"code": 3, "message": "Invalid user identifier"}));
    bob.sets(Some("x")).await;
    alice.hears_nothing_more().await;
}

#[actix_web::test]
async fn follows_past_the_quota_are_refused() {
    let world = World::with(|config| config.limits.follows_per_session = 2);
    let mut alice = world.hidden("alice").await;
    let ids = ["a", "b", "c"].map(|name| user(name).to_string());
    let error = alice.asks_and_hears(json!({"status_follow": {"user_ids": ids}})).await;
    assert_eq!(error["error"]["message"], "Follow limit of 2 reached: 0 followed, 3 more asked for");
    let reply = alice.asks_and_hears(json!({"status_follow": {"user_ids": ids[..2]}})).await;
    assert!(reply["status"].is_object(), "{reply}");
}

#[actix_web::test]
async fn a_large_follow_reply_comes_in_frames_of_sixty_kib() {
    let world = World::start();
    let mut crowd = Vec::new();
    for number in 0..60 {
        let mut person = world.hidden(&format!("person-{number}")).await;
        person.sets(Some(&"\"".repeat(2048))).await;
        crowd.push(person);
    }
    let mut alice = world.hidden("alice").await;
    let reply = alice.follows(&crowd.iter().collect::<Vec<_>>()).await;
    let mut last_seen = shown(&reply["status"]["presences"]).len();
    assert!(last_seen < 60 && reply.to_string().len() <= 60 * 1024);
    while last_seen < 60 {
        let (joins, leaves) = alice.sees().await;
        assert_eq!(leaves, [""; 0]);
        last_seen += joins.len();
    }
    assert_eq!(last_seen, 60);
}

#[actix_web::test]
async fn an_invisible_user_looks_like_an_absent_one() {
    let world = World::start();
    let mut alice = world.hidden("alice").await;
    let hidden = world.hidden("bob").await;
    assert_eq!(alice.follows(&[&hidden]).await["status"], json!({"presences": []}));
    assert!(world.components.engine.online(None, vec![user("bob")]).await.unwrap().is_empty());
    drop(hidden);
    alice.hears_nothing_more().await;
}
