//! Last-seen records of users, and what subscribers receive of them.

use std::time::Duration;

use hereabouts::config::value::{Period, Secret};
use serde_json::{Value, json};

use crate::world::World;

const KEY: &str = "a key";

/// A world that records ten times a second which users are online.
fn world() -> World {
    World::with(|config| {
        config.http_api.key = Some(Secret::new(KEY));
        config.user_status.presence_update_interval = Period(Duration::from_millis(100));
    })
}

/// The backend's call; its result.
async fn calls(world: &World, method: &str, body: Value) -> Value {
    let request = world.server.post(&format!("/api/{method}")).insert_header(("X-API-Key", KEY));
    let mut answer = request.send_json(&body).await.unwrap().json::<Value>().await.unwrap();
    assert!(answer["error"].is_null(), "{answer}");
    answer["result"].take()
}

fn is_recent(time: &Value) -> bool {
    time.as_u64().is_some_and(|time| time > 1_750_000_000)
}

async fn record(world: &World) -> Value {
    calls(world, "get_user_status", json!({"users": ["42"]})).await["statuses"][0].take()
}

#[actix_web::test]
async fn subscribers_are_told_what_the_backend_says_of_a_user() {
    let world = world();
    let mut alice = world.centrifugo("1").await;
    alice.subscribes("status:42").await;
    calls(&world, "update_user_status", json!({"users": ["42"], "state": "dnd"})).await;
    let mut told = alice.sees("status:42").await;
    assert!(is_recent(&told["active"].take()), "{told}");
    assert_eq!(told, json!({"user": "42", "online": false, "statuses": [], "active": null, "state": "dnd"}));
    calls(&world, "delete_user_status", json!({"users": ["42"]})).await;
    assert_eq!(alice.sees("status:42").await, json!({"user": "42", "online": false, "statuses": []}));
    alice.hears_nothing_more().await;
}

#[actix_web::test]
async fn a_subscription_begins_with_what_was_written_down_of_somebody_long_gone() {
    let world = world();
    let mut bob = world.centrifugo("42").await;
    bob.updates(json!({"state": "dnd"})).await;
    drop(bob);
    while world.components.metrics.engine().users.get() > 0 {
        actix_web::rt::time::sleep(Duration::from_millis(1)).await;
    }
    let known = record(&world).await;
    let mut alice = world.centrifugo("1").await;
    let found = alice.subscribes("status:42").await;
    assert!(is_recent(&found["active"]) && is_recent(&found["last_online"]), "{found}");
    assert_eq!(
        (&found["active"], &found["last_online"], &found["state"]),
        (&known["active"], &known["online"], &known["state"])
    );
    assert_eq!((&found["online"], &found["state"]), (&json!(false), &json!("dnd")));
}

#[actix_web::test]
async fn a_text_that_a_client_says_is_kept_and_being_online_is_no_news() {
    let world = world();
    let mut alice = world.centrifugo("1").await;
    let mut bob = world.centrifugo("42").await;
    alice.subscribes("status:42").await;
    bob.updates(json!({"state": "dnd"})).await;
    assert_eq!(alice.sees("status:42").await["state"], "dnd");
    let before = record(&world).await;
    assert_eq!(before["state"], "dnd");
    // It is written down again and again as online meanwhile; the clock of seconds says when that has been.
    while record(&world).await["online"] == before["online"] {
        actix_web::rt::time::sleep(Duration::from_millis(10)).await;
    }
    alice.hears_nothing_more().await;
    bob.updates(json!({"state": ""})).await;
    let told = alice.sees("status:42").await;
    assert_eq!((&told["statuses"], &told["state"]), (&json!([""]), &json!("dnd")), "an empty text says nothing");
    assert_eq!(record(&world).await["state"], "dnd");
}
