//! The SDK for Rust (`tokio-centrifuge`), in both encodings. The others are tested from where they run: Node, Python, Go,
//! Java.

use hereabouts::clock::Clock;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;
use tokio_centrifuge::client::{Client, RequestError, State};
use tokio_centrifuge::config::Config;

use super::client::token;
use crate::world::{PATIENCE, World};

#[derive(Clone, Copy)]
enum Encoding {
    Json,
    Protobuf,
}

/// The SDK on this server.
fn client(world: &World, encoding: Encoding, claims: &Value) -> Client {
    let (query, config) = match encoding {
        Encoding::Json => ("", Config::new().use_json()),
        Encoding::Protobuf => ("?format=protobuf", Config::new().use_protobuf()),
    };
    let address = world.server.url("/connection/websocket").replacen("http", "ws", 1);
    let config = config.with_token(token(claims)).with_read_timeout(PATIENCE);
    Client::new(&format!("{address}{query}"), config)
}

async fn connected(world: &World, encoding: Encoding, name: &str) -> Client {
    let client = client(world, encoding, &json!({"sub": name}));
    timeout(PATIENCE, client.connect().into_future()).await.expect("not connected").expect("turned away");
    client
}

/// Subscribes; what is seen from then on, first what the reply shows.
fn follow(client: &Client, channel: &str) -> UnboundedReceiver<Vec<u8>> {
    let (last_seen, found) = unbounded_channel();
    let subscription = client.new_subscription(channel);
    let first = last_seen.clone();
    subscription.on_subscribed(move |event| first.send(event.data).unwrap());
    subscription.on_publication(move |publication| last_seen.send(publication.data).unwrap());
    drop(subscription.subscribe());
    found
}

/// The next of what is seen, but for its times.
async fn sees(last_seen: &mut UnboundedReceiver<Vec<u8>>) -> Value {
    let data = timeout(PATIENCE, last_seen.recv()).await.expect("saw nothing").expect("the client is there");
    let mut status: Value = serde_json::from_slice(&data).unwrap();
    let fields = status.as_object_mut().unwrap();
    for time in ["active", "last_online"] {
        assert!(fields.remove(time).is_none_or(|time| time.is_u64()), "{time}");
    }
    status
}

async fn calls(client: &Client, method: &str, data: Value) -> Result<Vec<u8>, RequestError> {
    client.rpc(method, data.to_string().into_bytes()).await
}

async fn one_follows_another(encoding: Encoding) {
    let world = World::start();
    let alice = connected(&world, encoding, "alice").await;
    let mut last_seen = follow(&alice, "status:bob");
    assert_eq!(sees(&mut last_seen).await, json!({"user": "bob", "online": false, "statuses": []}));
    let bob = connected(&world, encoding, "bob").await;
    assert_eq!(sees(&mut last_seen).await, json!({"user": "bob", "online": true, "statuses": [""]}));
    assert_eq!(calls(&bob, "update_user_status", json!({"state": "dnd"})).await.unwrap(), b"");
    let busy = json!({"user": "bob", "online": true, "statuses": ["dnd"], "state": "dnd"});
    assert_eq!(sees(&mut last_seen).await, busy);
    match calls(&bob, "nope", json!({})).await {
        Err(RequestError::ErrorResponse(error)) => assert_eq!(error.code, 104),
        other => panic!("a method that is not there: {other:?}"),
    }
    timeout(PATIENCE, bob.disconnect().into_future()).await.expect("not disconnected");
    assert_eq!(bob.state(), State::Disconnected);
    assert_eq!(sees(&mut last_seen).await, json!({"user": "bob", "online": false, "statuses": [], "state": "dnd"}));
    assert_eq!(alice.state(), State::Connected);
}

/// This SDK has no way to ask for another token: the application gives it one.
async fn an_expired_token_is_replaced(encoding: Encoding) {
    let world = World::start();
    let past = Clock::system().time_of_day().as_secs() - 10;
    let client = client(&world, encoding, &json!({"sub": "bob", "exp": past}));
    let connect = timeout(PATIENCE, client.connect().into_future());
    assert_eq!(connect.await.expect("neither let in nor turned away"), Err(()));
    client.set_token(token(&json!({"sub": "bob", "exp": past + 3600})));
    // It still counts itself as connecting, and nothing is left to say that it is not.
    drop(client.disconnect());
    timeout(PATIENCE, client.connect().into_future()).await.expect("not connected").expect("turned away");
    let server = client.server_info();
    assert!(server.token_expires && (3500..=3600).contains(&server.token_ttl), "{server:?}");
}

#[actix_web::test]
async fn one_follows_another_in_json() {
    one_follows_another(Encoding::Json).await;
}

#[actix_web::test]
async fn one_follows_another_in_protobuf() {
    one_follows_another(Encoding::Protobuf).await;
}

#[actix_web::test]
async fn an_expired_token_is_replaced_in_json() {
    an_expired_token_is_replaced(Encoding::Json).await;
}

#[actix_web::test]
async fn an_expired_token_is_replaced_in_protobuf() {
    an_expired_token_is_replaced(Encoding::Protobuf).await;
}
