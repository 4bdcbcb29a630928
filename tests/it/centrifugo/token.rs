//! Tokens, and how long a connection may stay on one.

use std::time::Duration;

use hereabouts::config::value::Period;
use serde_json::json;

use super::client::token;
use crate::world::{World, change, user};

#[actix_web::test]
async fn an_expired_token_is_told_and_a_wrong_one_closes_for_good() {
    let world = World::with(|config| config.centrifugo.client.stale_close_delay = Period(Duration::from_millis(50)));
    let now = world.clock.now().as_secs();
    let mut client = world.dials("").await;
    let reply = client.asks("connect", json!({"token": token(&json!({"sub": "42", "exp": now - 1}))})).await;
    assert_eq!(reply["error"], json!({"code": 109, "message": "token expired"}));
    assert_eq!(client.hears_close().await, (3502, "stale".to_owned()));
    for wrong in ["x".to_owned(), token(&json!({"sub": 42}))] {
        let mut client = world.dials("").await;
        client.says(&json!({"id": 1, "connect": {"token": wrong}}).to_string()).await;
        assert_eq!(client.hears_close().await, (3500, "invalid token".to_owned()));
    }
    let mut client = world.dials("").await;
    client.says(r#"{"id":1,"connect":{}}"#).await;
    assert_eq!(client.hears_close().await, (3501, "bad request".to_owned()));
}

#[actix_web::test]
async fn who_says_nothing_is_stale() {
    let world = World::with(|config| config.centrifugo.client.stale_close_delay = Period(Duration::from_millis(50)));
    assert_eq!(world.dials("").await.hears_close().await, (3502, "stale".to_owned()));
}

#[actix_web::test]
async fn a_token_is_refreshed_or_the_connection_ends_and_its_followers_are_told() {
    let world = World::with(|config| config.centrifugo.client.expired_close_delay = Period(Duration::from_millis(200)));
    let mut alice = world.hidden("alice").await;
    alice.asks_and_hears(json!({"status_follow": {"user_ids": [user("42").to_string()]}})).await;
    let now = world.clock.now().as_secs();
    let mut bob = world.dials("").await;
    let reply = bob.asks("connect", json!({"token": token(&json!({"sub": "42", "exp": now + 100}))})).await;
    assert_eq!(reply["connect"]["expires"], true);
    let ttl = reply["connect"]["ttl"].as_u64().unwrap();
    assert!((90..=100).contains(&ttl), "{reply}");
    assert_eq!(alice.sees().await, change(&["42:"], &[]));
    let reply = bob.asks("refresh", json!({"token": token(&json!({"sub": "42"}))})).await;
    assert_eq!(reply["refresh"], json!({}));
    let reply = bob.asks("refresh", json!({"token": token(&json!({"sub": "42", "exp": now + 2}))})).await;
    assert_eq!(reply["refresh"]["expires"], true);
    bob.says("").await;
    assert_eq!(bob.hears_close().await.0, 3501);
    assert_eq!(alice.sees().await, change(&[], &["42:"]));
    let mut bob = world.dials("").await;
    let soon = world.clock.now().as_secs() + 1;
    bob.asks("connect", json!({"token": token(&json!({"sub": "42", "exp": soon}))})).await;
    assert_eq!(bob.hears_close().await, (3005, "connection expired".to_owned()));
    assert_eq!(alice.sees().await, change(&["42:"], &[]));
    assert_eq!(alice.sees().await, change(&[], &["42:"]));
}

#[actix_web::test]
async fn a_refresh_for_another_user_closes_for_good() {
    let world = World::start();
    let mut bob = world.centrifugo("42").await;
    bob.says(&json!({"id": 9, "refresh": {"token": token(&json!({"sub": "43"}))}}).to_string()).await;
    assert_eq!(bob.hears_close().await, (3500, "invalid token".to_owned()));
}
