//! Friends and blocks, by the server API; and who may follow where only friends may.

use hereabouts::config::FollowPolicy;

use super::*;
use crate::world::{change, user};

const KEY: &str = "a key of the tests";

fn world(change: impl FnOnce(&mut hereabouts::config::Config)) -> World {
    World::with(|config| {
        config.http_api.key = Some(Secret::new(KEY));
        change(config);
    })
}

async fn api(world: &World, method: &str, body: Value) -> Value {
    let client = awc::Client::default();
    let request = client.post(world.server.url(&format!("/api/{method}"))).insert_header(("X-API-Key", KEY));
    request.send_json(&body).await.unwrap().json().await.unwrap()
}

async fn does(world: &World, method: &str, user: &str, others: &[&str]) {
    let answer = api(world, method, json!({"user": user, "users": others})).await;
    assert_eq!(answer, json!({"result": {}}), "{method}");
}

#[actix_web::test]
async fn lists_are_kept_within_their_quota() {
    let world = world(|config| config.tencent.friends = 3);
    for (add, remove, list) in [("friends_add", "friends_remove", "friends_list"), ("block", "unblock", "block_list")] {
        assert_eq!(api(&world, list, json!({"user": "alice"})).await, json!({"result": {"users": []}}));
        does(&world, add, "alice", &["bob", "carol", "bob"]).await;
        assert_eq!(api(&world, list, json!({"user": "alice"})).await, json!({"result": {"users": ["bob", "carol"]}}));
        does(&world, remove, "alice", &["bob", "nobody"]).await;
        assert_eq!(api(&world, list, json!({"user": "alice"})).await, json!({"result": {"users": ["carol"]}}));
        for body in [
            json!({"user": "alice"}),
            json!({"user": "", "users": ["x"]}),
            json!({"user": "alice", "users": [""]}),
            json!({"user": "alice", "users": ["x".repeat(256)]}),
        ] {
            assert_eq!(api(&world, add, body.clone()).await["error"]["code"], 107, "{add} {body}");
        }
    }
    let refused = api(&world, "friends_add", json!({"user": "alice", "users": ["d", "e", "f"]})).await;
    let detail = refused["error"]["detail"].as_str().unwrap();
    assert!(detail.contains("limit of 3 reached: 1 held, 3 more asked for"), "{refused}");
}

#[actix_web::test]
async fn friends_are_told_of_unasked_and_outside_the_quota() {
    let world = world(|config| {
        config.tencent.friend_status_notification = true;
        config.tencent.subscriptions = 1;
    });
    does(&world, "friends_add", "alice", &["bob", "carol"]).await;
    let mut bob = Device::logs_in(&world, "bob").await;
    let mut alice = Device::logs_in(&world, "alice").await;
    assert_eq!(alice.hears().await, status("bob", 1, ""), "who is here at the login");
    let mut laptop = Device::logs_in(&world, "alice").await;
    assert_eq!(laptop.hears().await, status("bob", 1, ""));
    let mut dave = Device::logs_in(&world, "dave").await;
    alice.subscribes(&["dave"]).await;
    bob.sets("hi").await;
    assert_eq!(alice.hears().await, status("bob", 1, "hi"));
    assert_eq!(laptop.hears().await, status("bob", 1, "hi"));
    does(&world, "friends_remove", "alice", &["bob"]).await;
    does(&world, "friends_add", "alice", &["eve"]).await;
    let mut eve = Device::logs_in(&world, "eve").await;
    assert_eq!(alice.hears().await, status("eve", 1, ""));
    bob.sets("not told").await;
    dave.sets("told").await;
    assert_eq!(alice.hears().await, status("dave", 1, "told"));
    alice.has_heard_all_of("bob").await;
    alice.subscribes(&["eve"]).await;
    eve.sets("once").await;
    assert_eq!(alice.hears().await, status("eve", 1, "once"), "friend and subscription");
    alice.has_heard_all_of("eve").await;
    alice.unsubscribes(&["eve"]).await;
    eve.sets("still").await;
    assert_eq!(alice.hears().await, status("eve", 1, "still"), "a friend as before");
}

#[actix_web::test]
async fn a_blocked_user_sees_the_blocker_absent_everywhere_at_once() {
    let world = world(|_| {});
    let mut alice = Device::logs_in(&world, "alice").await;
    alice.sets("busy").await;
    let mut mallory = Device::logs_in(&world, "mallory").await;
    let mut bob = Device::logs_in(&world, "bob").await;
    let mut nakama = world.hidden("mallory").await;
    mallory.subscribes(&["alice"]).await;
    bob.subscribes(&["alice"]).await;
    let followed = nakama.asks_and_hears(json!({"status_follow": {"user_ids": [user("alice").to_string()]}})).await;
    assert_eq!(crate::world::shown(&followed["status"]["presences"]), ["alice:busy"]);
    does(&world, "block", "alice", &["mallory"]).await;
    assert_eq!(mallory.hears().await, status("alice", 3, ""), "at once");
    assert_eq!(nakama.sees().await, change(&[], &["alice:busy"]), "everywhere");
    alice.sets("secret").await;
    assert_eq!(bob.hears().await, status("alice", 1, "secret"), "others see more");
    assert_eq!(mallory.queries(&["alice"]).await, [status("alice", 3, "")]);
    mallory.has_heard_all_of("alice").await;
    nakama.hears_nothing_more().await;
    let mut again = Device::logs_in(&world, "mallory").await;
    assert_eq!(again.hears().await, status("alice", 3, ""), "what its account subscribes to");
    assert_eq!(nakama.sees().await, change(&["mallory:"], &[]), "its own other device");
    assert_eq!(again.subscribes(&["alice"]).await, [status("alice", 3, "")]);
    let followed = nakama.asks_and_hears(json!({"status_follow": {"user_ids": [user("alice").to_string()]}})).await;
    assert_eq!(crate::world::shown(&followed["status"]["presences"]), Vec::<String>::new());
    assert_eq!(alice.queries(&["mallory"]).await, [status("mallory", 1, "")], "it is not mutual");
    does(&world, "unblock", "alice", &["mallory"]).await;
    assert_eq!(mallory.hears().await, status("alice", 1, "secret"));
    assert_eq!(again.hears().await, status("alice", 1, "secret"));
    assert_eq!(nakama.sees().await, change(&["alice:secret"], &[]));
}

#[actix_web::test]
async fn where_only_friends_may_follow_others_see_nobody() {
    let world = world(|config| config.follow.policy = FollowPolicy::Friends);
    let mut alice = Device::logs_in(&world, "alice").await;
    let mut bob = Device::logs_in(&world, "bob").await;
    assert_eq!(bob.subscribes(&["alice"]).await, [status("alice", 3, "")]);
    alice.sets("hi").await;
    bob.has_heard_all_of("alice").await;
    does(&world, "friends_add", "alice", &["bob"]).await;
    assert_eq!(bob.hears().await, status("alice", 1, "hi"));
    does(&world, "friends_remove", "alice", &["bob"]).await;
    assert_eq!(bob.hears().await, status("alice", 3, ""));
    assert_eq!(bob.queries(&["alice"]).await, [status("alice", 3, "")]);
}
