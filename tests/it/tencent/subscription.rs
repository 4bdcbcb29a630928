//! Subscriptions of an account: over its devices, past its connections, within its limits.

use hereabouts::clock::Clock;

use super::*;

#[actix_web::test]
async fn subscriptions_are_shared_by_the_devices_without_duplicates() {
    let world = World::start();
    let mut bob = Device::logs_in(&world, "bob").await;
    let (mut phone, mut laptop) = (Device::logs_in(&world, "alice").await, Device::logs_in(&world, "alice").await);
    assert_eq!(phone.subscribes(&["bob", "carol"]).await, [status("bob", 1, ""), status("carol", 3, "")]);
    bob.sets("hi").await;
    for device in [&mut phone, &mut laptop] {
        assert_eq!(device.hears().await, status("bob", 1, "hi"));
    }
    laptop.subscribes(&["bob"]).await;
    bob.sets("there").await;
    for device in [&mut phone, &mut laptop] {
        assert_eq!(device.hears().await, status("bob", 1, "there"));
        device.has_heard_all_of("bob").await;
    }
    laptop.unsubscribes(&["bob"]).await;
    bob.sets("you").await;
    for device in [&mut phone, &mut laptop] {
        device.has_heard_all_of("bob").await;
    }
    let result = phone.calls("subscribeUserStatus", json!({"userIDList": ["alice", "bob"]})).await;
    assert_eq!(statuses(&result["successUserList"]), [status("bob", 1, "you")]);
    assert_eq!(result["failureUserList"][0]["userID"], "alice", "no subscription to oneself");
    assert_eq!(phone.calls("unsubscribeUserStatus", json!({})).await, json!({"failureUserList": []}), "all");
    bob.sets("all").await;
    phone.has_heard_all_of("bob").await;
}

#[actix_web::test]
async fn past_the_limit_the_earliest_is_dropped_at_once_on_all_devices() {
    let world = World::with(|config| config.tencent.subscriptions = 2);
    let mut people = Vec::new();
    for name in ["b", "c", "d"] {
        people.push(Device::logs_in(&world, name).await);
    }
    let (mut phone, mut laptop) = (Device::logs_in(&world, "alice").await, Device::logs_in(&world, "alice").await);
    phone.subscribes(&["b", "c"]).await;
    laptop.subscribes(&["d"]).await;
    for person in &mut people {
        person.sets("x").await;
    }
    for device in [&mut phone, &mut laptop] {
        let mut heard = vec![device.hears().await, device.hears().await];
        heard.sort();
        assert_eq!(heard, [status("c", 1, "x"), status("d", 1, "x")]);
        device.has_heard_all_of("b").await;
    }
}

#[actix_web::test]
async fn at_the_next_login_they_are_live_and_what_changed_comes_at_once() {
    let world = World::start();
    let mut bob = Device::logs_in(&world, "bob").await;
    let mut carol = Device::logs_in(&world, "carol").await;
    let mut alice = Device::logs_in(&world, "alice").await;
    alice.subscribes(&["bob", "carol", "dave"]).await;
    alice.breaks();
    until(&mut bob, status("alice", 2, "")).await;
    carol.sets("new").await;
    let mut alice = Device::connects(&world, "alice").await;
    alice.calls("login", credentials(&world, "alice")).await;
    let frame = alice.person.hears().await;
    assert_eq!(statuses(&frame["params"]), [status("carol", 1, "new")], "one notification, and only of what changed");
    alice.has_heard_all_of("carol").await;
    bob.sets("live").await;
    assert_eq!(alice.hears().await, status("bob", 1, "live"));
}

#[actix_web::test]
async fn a_day_after_the_last_device_they_are_gone() {
    let clock = Clock::manual(hereabouts::presence::time::Timestamp::from_secs(1_795_220_273));
    let world = World::at(clock.clone(), |_| {});
    for (away, kept) in [(24 * 3600 - 1, true), (24 * 3600, false)] {
        let mut alice = Device::logs_in(&world, "alice").await;
        alice.subscribes(&["carol"]).await;
        alice.logs_out().await;
        clock.advance(Duration::from_secs(away));
        let mut carol = Device::logs_in(&world, "carol").await;
        let mut alice = Device::logs_in(&world, "alice").await;
        if kept {
            assert_eq!(alice.hears().await, status("carol", 1, ""), "told at the login");
        }
        carol.sets("x").await;
        if kept {
            assert_eq!(alice.hears().await, status("carol", 1, "x"));
        }
        alice.has_heard_all_of("carol").await;
        alice.logs_out().await;
        carol.logs_out().await;
    }
}

#[actix_web::test]
async fn each_kind_of_call_has_its_rate_over_all_devices() {
    let clock = Clock::manual(hereabouts::presence::time::Timestamp::from_secs(1_795_220_273));
    let world = World::at(clock.clone(), |config| config.tencent.calls = 3);
    let (mut phone, mut laptop) = (Device::logs_in(&world, "alice").await, Device::logs_in(&world, "alice").await);
    let bob = json!({"userIDList": ["bob"]});
    for method in ["getUserStatus", "subscribeUserStatus", "unsubscribeUserStatus"] {
        for device in [&mut phone, &mut laptop] {
            device.calls(method, bob.clone()).await;
        }
        phone.calls(method, bob.clone()).await;
        clock.advance(Duration::from_millis(1500));
        let error = laptop.is_refused(method, bob.clone()).await;
        assert_eq!(error["code"], 7008, "{error}");
        assert_eq!(error["data"], json!({"limit": 3, "count": 3, "retryAfterMs": 3500}));
        for _ in 0..5 {
            phone.queries(&["alice"]).await;
            phone.sets("unlimited").await;
        }
        clock.advance(Duration::from_millis(3500));
        laptop.calls(method, bob.clone()).await;
        clock.advance(Duration::from_secs(10));
    }
    laptop.logs_out().await;
    for _ in 0..3 {
        phone.subscribes(&["bob"]).await;
    }
    phone.logs_out().await;
    let mut again = Device::logs_in(&world, "alice").await;
    assert_eq!(again.code("subscribeUserStatus", bob).await, 7008, "another login is no way around it");
}

#[actix_web::test]
async fn what_is_switched_off_says_so() {
    let others = json!({"userIDList": ["bob"]});
    for (switch, refused) in [
        ("notification", ["getUserStatus", "subscribeUserStatus", "unsubscribeUserStatus"].as_slice()),
        ("query", &["getUserStatus"]),
        ("subscribe", &["subscribeUserStatus", "unsubscribeUserStatus"]),
    ] {
        let world = World::with(|config| match switch {
            "notification" => config.tencent.status_notification = false,
            "query" => config.tencent.allow_query_others = false,
            _ => config.tencent.allow_subscribe = false,
        });
        let mut alice = Device::logs_in(&world, "alice").await;
        for method in ["getUserStatus", "subscribeUserStatus", "unsubscribeUserStatus"] {
            let answer = alice.asks(method, others.clone()).await;
            let code = answer["error"]["code"].as_i64();
            assert_eq!(code, refused.contains(&method).then_some(72001), "{switch}: {method}: {answer}");
        }
        assert_eq!(alice.queries(&["alice"]).await, [status("alice", 1, "")], "oneself always");
        alice.sets("fine").await;
    }
}
