//! What subscribers see of users, within one dialect and across two.

use hereabouts::config::Config;
use hereabouts::config::value::Pattern;
use serde_json::{Value, json};
use uuid::Uuid;

use super::client::token;
use crate::world::{World, change, shown, user};

/// The part of a status that does not depend on the time.
fn still(data: &Value) -> Value {
    let mut data = data.clone();
    for time in ["active", "last_online"] {
        data.as_object_mut().unwrap().remove(time);
    }
    data
}

#[actix_web::test]
async fn a_subscriber_is_told_what_a_user_shows_and_every_change() {
    let world = World::start();
    let mut alice = world.centrifugo("1").await;
    assert_eq!(alice.subscribes("status:42").await, json!({"user": "42", "online": false, "statuses": []}));
    let mut bob = world.centrifugo("42").await;
    let here = alice.sees("status:42").await;
    assert_eq!(still(&here), json!({"user": "42", "online": true, "statuses": [""]}));
    assert!(here["last_online"].as_u64().is_some() && here["active"].is_null(), "{here}");
    assert_eq!(bob.updates(json!({})).await, json!({"id": 2, "rpc": {}}));
    let active = alice.sees("status:42").await;
    assert_eq!(active["active"].as_u64().map(|seconds| seconds.abs_diff(world.clock.now().as_secs()) < 60), Some(true));
    bob.updates(json!({"state": "dnd"})).await;
    let said = alice.sees("status:42").await;
    assert_eq!(still(&said), json!({"user": "42", "online": true, "statuses": ["dnd"], "state": "dnd"}));
    alice.hears_nothing_more().await;
    drop(bob);
    let gone = alice.sees("status:42").await;
    assert_eq!(still(&gone), json!({"user": "42", "online": false, "statuses": [], "state": "dnd"}));
    assert!(gone["last_online"].as_u64().is_some() && gone["active"].as_u64().is_some(), "{gone}");
}

#[actix_web::test]
async fn the_snapshot_has_every_connection_and_the_latest_state() {
    let world = World::start();
    let (mut phone, _tablet) = (world.centrifugo("42").await, world.centrifugo("42").await);
    phone.updates(json!({"state": "busy"})).await;
    let mut alice = world.centrifugo("1").await;
    let shown = still(&alice.subscribes("status:42").await);
    assert_eq!(shown, json!({"user": "42", "online": true, "statuses": ["", "busy"], "state": "busy"}));
}

#[actix_web::test]
async fn oneself_is_followed_like_anybody() {
    let world = World::start();
    let mut bob = world.centrifugo("42").await;
    bob.updates(json!({"state": "unseen"})).await;
    bob.hears_nothing_more().await;
    assert_eq!(bob.subscribes("status:42").await["state"], "unseen");
    bob.updates(json!({"state": "seen"})).await;
    assert_eq!(bob.sees("status:42").await["state"], "seen");
    assert_eq!(bob.asks("unsubscribe", json!({"channel": "status:42"})).await["unsubscribe"], json!({}));
    bob.updates(json!({"state": "unseen again"})).await;
    bob.hears_nothing_more().await;
}

#[actix_web::test]
async fn a_nakama_follower_sees_a_centrifugo_user_under_an_id_made_of_its_name() {
    let world = World::start();
    let mut alice = world.hidden("alice").await;
    let id = user("42").to_string();
    assert_eq!(Uuid::parse_str(&id).unwrap().get_version_num(), 5);
    alice.asks_and_hears(json!({"status_follow": {"user_ids": [id]}})).await;
    let mut bob = world.centrifugo("42").await;
    assert_eq!(alice.sees().await, change(&["42:"], &[]));
    bob.updates(json!({})).await;
    bob.updates(json!({"state": "dnd"})).await;
    assert_eq!(alice.sees().await, change(&["42:dnd"], &["42:"]), "activity is no change of a status");
    let reply = alice.asks_and_hears(json!({"status_follow": {"user_ids": [id]}})).await;
    assert_eq!(shown(&reply["status"]["presences"]), ["42:dnd"]);
    drop(bob);
    assert_eq!(alice.sees().await, change(&[], &["42:dnd"]));
}

#[actix_web::test]
async fn a_centrifugo_subscriber_sees_a_nakama_user_and_not_an_invisible_one() {
    let world = World::start();
    let mut alice = world.centrifugo("1").await;
    let channel = format!("status:{}", user("bob"));
    let mut bob = world.hidden("bob").await;
    let absent = json!({"user": user("bob").to_string(), "online": false, "statuses": []});
    assert_eq!(alice.subscribes(&channel).await, absent);
    let presence = alice.asks("presence", json!({"channel": channel})).await;
    assert_eq!(presence["presence"], json!({"presence": {}}), "an invisible connection was shown");
    bob.sets(Some("hello")).await;
    assert_eq!(alice.sees(&channel).await["statuses"], json!(["hello"]));
    bob.sets(None).await;
    assert_eq!(alice.sees(&channel).await["online"], false);
    alice.hears_nothing_more().await;
}

#[actix_web::test]
async fn a_user_has_the_same_id_however_it_is_written() {
    let world = World::start();
    let id = "f13ead91-7889-4f81-afd8-ab814be9a6d0";
    let mut alice = world.centrifugo("1").await;
    let upper = format!("status:{}", id.to_uppercase());
    assert_eq!(alice.subscribes(&upper).await["user"], id.to_uppercase());
    let _bob = world.centrifugo(id).await;
    let last_seen = alice.sees(&upper).await;
    assert_eq!((&last_seen["user"], &last_seen["online"]), (&json!(id.to_uppercase()), &json!(true)));
}

#[actix_web::test]
async fn presence_lists_connections_with_what_their_tokens_say() {
    let world = World::start();
    let mut alice = world.centrifugo("1").await;
    let mut bob = world.dials("").await;
    let claims = json!({"sub": "42", "info": {"name": "Bob"}});
    let client = bob.asks("connect", json!({"token": token(&claims)})).await["connect"]["client"].clone();
    let _phone = world.centrifugo("42").await;
    let presence = alice.asks("presence", json!({"channel": "status:42"})).await;
    let list = presence["presence"]["presence"].as_object().unwrap();
    assert_eq!(list.len(), 2, "{presence}");
    let key = client.as_str().unwrap();
    assert_eq!(list[key], json!({"user": "42", "client": client, "conn_info": {"name": "Bob"}}));
    let stats = alice.asks("presence_stats", json!({"channel": "status:42"})).await;
    assert_eq!(stats["presence_stats"], json!({"num_clients": 2, "num_users": 1}));
    let stats = alice.asks("presence_stats", json!({"channel": "status:nobody"})).await;
    assert_eq!(stats["presence_stats"], json!({"num_clients": 0, "num_users": 0}));
}

#[actix_web::test]
async fn a_channel_is_subscribed_to_once_and_the_limit_holds() {
    let world = World::start();
    let mut alice = world.centrifugo("1").await;
    for number in 0..128 {
        assert_eq!(alice.subscribes(&format!("status:{number}")).await["user"], number.to_string());
    }
    let again = alice.asks("subscribe", json!({"channel": "status:7"})).await;
    assert_eq!(again["error"], json!({"code": 105, "message": "already subscribed"}));
    let more = alice.asks("subscribe", json!({"channel": "status:128"})).await;
    assert_eq!(more["error"], json!({"code": 106, "message": "limit exceeded"}));
    alice.asks("unsubscribe", json!({"channel": "status:7"})).await;
    assert_eq!(alice.subscribes("status:128").await["user"], "128");
}

#[actix_web::test]
async fn nothing_is_heard_after_an_unsubscription() {
    let world = World::start();
    let (mut alice, mut bob) = (world.centrifugo("1").await, world.centrifugo("42").await);
    alice.subscribes("status:42").await;
    for _ in 0..2 {
        let reply = alice.asks("unsubscribe", json!({"channel": "status:42"})).await;
        assert_eq!(reply["unsubscribe"], json!({}));
    }
    bob.updates(json!({"state": "unseen"})).await;
    alice.hears_nothing_more().await;
    assert_eq!(alice.subscribes("status:42").await["state"], "unseen");
}

#[actix_web::test]
async fn nobody_in_particular_may_look_and_is_not_seen() {
    let world = World::with(|config| config.centrifugo.client.allow_anonymous_connect_without_token = true);
    let mut nobody = world.dials("").await;
    assert!(nobody.asks("connect", json!({})).await["connect"].is_object());
    let _bob = world.centrifugo("42").await;
    assert_eq!(nobody.subscribes("status:42").await["online"], true);
    assert_eq!(nobody.updates(json!({})).await["error"]["code"], 103);
}

#[actix_web::test]
async fn a_state_that_is_not_allowed_changes_nothing() {
    let world = World::with(|config| config.user_status.state_regex = Pattern::try_from("^(dnd|away)$").unwrap());
    let mut alice = world.centrifugo("1").await;
    alice.subscribes("status:42").await;
    let mut bob = world.centrifugo("42").await;
    alice.sees("status:42").await;
    assert_eq!(bob.updates(json!({"state": "dnd"})).await["rpc"], json!({}));
    assert_eq!(alice.sees("status:42").await["state"], "dnd");
    let refused = bob.updates(json!({"state": "dnd?"})).await;
    assert_eq!(refused["error"], json!({"code": 107, "message": "bad request"}));
    alice.hears_nothing_more().await;
    assert_eq!(bob.updates(json!({"state": ""})).await["rpc"], json!({}));
    assert_eq!(alice.sees("status:42").await["statuses"], json!([""]));
}

#[actix_web::test]
async fn a_user_has_only_so_many_connections() {
    let world = World::with(|config| {
        config.centrifugo.client.user_connection_limit = 2;
        config.centrifugo.client.allow_anonymous_connect_without_token = true;
    });
    let bob = Uuid::from_u128(42).to_string();
    let mut alice = world.centrifugo("1").await;
    alice.subscribes(&format!("status:{bob}")).await;
    let phone = world.centrifugo(&bob).await;
    let mut laptop = world.centrifugo(&bob).await;
    for _ in 0..2 {
        alice.sees(&format!("status:{bob}")).await;
    }
    let mut tablet = world.dials("").await;
    tablet.says(&json!({"id": 1, "connect": {"token": token(&json!({"sub": bob}))}}).to_string()).await;
    assert_eq!(tablet.hears_close().await, (3504, "connection limit".to_owned()));
    alice.hears_nothing_more().await;
    laptop.updates(json!({"state": "still here"})).await;
    assert_eq!(alice.sees(&format!("status:{bob}")).await["statuses"], json!(["", "still here"]));
    drop(phone);
    assert_eq!(alice.sees(&format!("status:{bob}")).await["statuses"], json!(["still here"]));
    world.centrifugo(&bob).await;
    for _ in 0..3 {
        let mut nobody = world.dials("").await;
        assert!(nobody.asks("connect", json!({})).await["connect"].is_object(), "each is another nobody");
    }
}

#[actix_web::test]
async fn clients_may_be_kept_from_marking_their_users() {
    for switch in [
        |config: &mut Config| config.user_status.disable_for_client = true,
        |config: &mut Config| config.user_status.enabled = false,
    ] {
        let world = World::with(switch);
        let mut bob = world.centrifugo("42").await;
        assert_eq!(bob.updates(json!({})).await["error"], json!({"code": 108, "message": "not available"}));
    }
}
