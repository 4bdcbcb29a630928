//! One account on several devices: general and custom status.

use super::*;

#[actix_web::test]
async fn a_custom_status_is_the_accounts_and_all_its_devices_hear_of_it() {
    let world = World::start();
    let mut phone = Device::logs_in(&world, "alice").await;
    let mut laptop = Device::logs_in(&world, "alice").await;
    phone.sets("listening").await;
    assert_eq!(phone.hears().await, status("alice", 1, "listening"), "the one that made it too");
    assert_eq!(laptop.hears().await, status("alice", 1, "listening"));
    assert_eq!(laptop.queries(&["alice"]).await, [status("alice", 1, "listening")]);
    let mut tablet = Device::logs_in(&world, "alice").await;
    assert_eq!(tablet.queries(&["alice"]).await, [status("alice", 1, "listening")]);
    laptop.sets("").await;
    for device in [&mut phone, &mut laptop, &mut tablet] {
        assert_eq!(device.hears().await, status("alice", 1, ""));
        device.has_heard_all_of("alice").await;
    }
    assert_eq!(phone.code("setSelfStatus", json!({"customStatus": "x".repeat(101)})).await, 6017);
    phone.sets(&"x".repeat(100)).await;
}

#[actix_web::test]
async fn a_custom_status_outlives_the_device_that_set_it_but_not_the_last() {
    let world = World::start();
    let mut bob = Device::logs_in(&world, "bob").await;
    let mut phone = Device::logs_in(&world, "alice").await;
    let laptop = Device::logs_in(&world, "alice").await;
    assert_eq!(bob.subscribes(&["alice"]).await, [status("alice", 1, "")]);
    phone.sets("busy").await;
    assert_eq!(bob.hears().await, status("alice", 1, "busy"));
    phone.breaks();
    world.until_connections(2).await;
    bob.has_heard_all_of("alice").await;
    assert_eq!(bob.queries(&["alice"]).await, [status("alice", 1, "busy")]);
    laptop.breaks();
    assert_eq!(bob.hears().await, status("alice", 2, ""), "both in one notification");
    let _again = Device::logs_in(&world, "alice").await;
    assert_eq!(bob.hears().await, status("alice", 1, ""));
    bob.has_heard_all_of("alice").await;
}

#[actix_web::test]
async fn a_lost_line_is_offline_and_a_logout_is_not_logged_in() {
    let world = World::start();
    let mut bob = Device::logs_in(&world, "bob").await;
    assert_eq!(bob.queries(&["alice", "bob"]).await, [status("alice", 3, ""), status("bob", 1, "")]);
    bob.subscribes(&["alice"]).await;
    let alice = Device::logs_in(&world, "alice").await;
    assert_eq!(bob.hears().await, status("alice", 1, ""));
    alice.breaks();
    assert_eq!(bob.hears().await, status("alice", 2, ""));
    let (one, other) = (Device::logs_in(&world, "alice").await, Device::logs_in(&world, "alice").await);
    assert_eq!(bob.hears().await, status("alice", 1, ""));
    one.logs_out().await;
    bob.has_heard_all_of("alice").await;
    assert_eq!(bob.queries(&["alice"]).await, [status("alice", 1, "")], "still here on the other device");
    other.logs_out().await;
    assert_eq!(bob.hears().await, status("alice", 3, ""));
    bob.unsubscribes(&["alice"]).await;
    world.until_users(1).await;
    assert_eq!(bob.queries(&["alice"]).await, [status("alice", 3, "")], "nothing in memory says it any more");
    Device::logs_in(&world, "carol").await.breaks();
    until(&mut bob, status("carol", 2, "")).await;
    world.until_users(1).await;
    assert_eq!(bob.queries(&["carol"]).await, [status("carol", 2, "")], "nothing in memory says it any more");
}

#[actix_web::test]
async fn a_connection_without_a_login_is_closed() {
    let world = World::with(|config| {
        config.tencent.login_timeout = hereabouts::config::value::Period(Duration::from_millis(50));
    });
    let mut stranger = Device::connects(&world, "alice").await;
    assert_eq!(stranger.person.hears_close().await, (1008, "nobody logged in".to_owned()));
}

#[actix_web::test]
async fn who_is_silent_too_long_is_offline() {
    let world = World::with(|config| {
        config.tencent.heartbeat_timeout = hereabouts::config::value::Period(Duration::from_secs(2));
    });
    let mut bob = Device::logs_in(&world, "bob").await;
    bob.subscribes(&["alice"]).await;
    let silent = Device::logs_in(&world, "alice").await;
    assert_eq!(bob.hears().await, status("alice", 1, ""));
    // Its socket is open, but nobody reads it or answers pings.
    assert_eq!(bob.hears().await, status("alice", 2, ""));
    drop(silent);
}

#[actix_web::test]
async fn lists_are_bounded_and_duplicates_are_told_once() {
    let world = World::with(|config| (config.tencent.users_per_query, config.tencent.users_per_subscribe) = (3, 2));
    let mut bob = Device::logs_in(&world, "bob").await;
    for method in ["getUserStatus", "subscribeUserStatus", "unsubscribeUserStatus"] {
        let error = bob.is_refused(method, json!({"userIDList": []})).await;
        assert_eq!(error["code"], 6017, "{method}: {error}");
        let error = bob.is_refused(method, json!({"userIDList": ["a", "b", "c", "d"]})).await;
        assert!(error["code"] == 6017 && error["message"].as_str().unwrap().contains("4 given, at most"), "{error}");
    }
    assert_eq!(bob.queries(&["b", "a", "b"]).await, [status("b", 3, ""), status("a", 3, "")]);
}

#[actix_web::test]
async fn in_a_strict_server_who_never_logged_in_is_no_account() {
    let world = World::with(|config| config.tencent.strict_accounts = true);
    let mut bob = Device::logs_in(&world, "bob").await;
    Device::logs_in(&world, "alice").await.logs_out().await;
    for method in ["getUserStatus", "subscribeUserStatus"] {
        let result = bob.calls(method, json!({"userIDList": ["alice", "nobody"]})).await;
        assert_eq!(statuses(&result["successUserList"]), [status("alice", 3, "")]);
        assert_eq!(result["failureUserList"][0]["userID"], "nobody");
        assert_eq!(result["failureUserList"][0]["code"], 70107);
    }
}
