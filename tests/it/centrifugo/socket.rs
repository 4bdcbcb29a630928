//! The handshake, the frames, pings, limits and the end of connections.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use awc::error::WsClientError;
use awc::ws::Frame;
use hereabouts::config::centrifugo::Origins;
use hereabouts::config::value::Period;
use hereabouts::outbox::CloseRequest;
use serde_json::json;

use super::client::token;
use crate::world::{World, change, user};

/// Status and subprotocol of the answer to a handshake.
async fn handshake(world: &World, headers: &[(HeaderName, &str)]) -> (StatusCode, Option<String>) {
    let client = awc::Client::builder().max_http_version(actix_web::http::Version::HTTP_11).finish();
    let mut request = client.ws(world.server.url("/connection/websocket"));
    for (name, value) in headers {
        request = request.set_header(name, *value);
    }
    match request.connect().await {
        Ok((response, _)) => {
            let protocol = response.headers().get(SEC_WEBSOCKET_PROTOCOL);
            (response.status(), protocol.map(|protocol| protocol.to_str().unwrap().to_owned()))
        }
        Err(WsClientError::InvalidResponseStatus(status)) => (status, None),
        Err(error) => panic!("{error}"),
    }
}

#[actix_web::test]
async fn a_known_subprotocol_is_echoed() {
    let world = World::start();
    let switching = StatusCode::SWITCHING_PROTOCOLS;
    for (offered, echoed) in [
        ("centrifuge-protobuf", Some("centrifuge-protobuf")),
        ("centrifuge-json", Some("centrifuge-json")),
        ("chat, centrifuge-protobuf, centrifuge-json", Some("centrifuge-protobuf")),
        ("chat", None),
    ] {
        let answer = handshake(&world, &[(SEC_WEBSOCKET_PROTOCOL, offered)]).await;
        assert_eq!(answer, (switching, echoed.map(str::to_owned)), "{offered}");
    }
    assert_eq!(handshake(&world, &[]).await, (switching, None));
    let response = world.server.get("/connection/websocket").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
}

#[actix_web::test]
async fn pages_connect_from_allowed_origins_only() {
    let closed = World::start();
    assert_eq!(handshake(&closed, &[(ORIGIN, "http://here")]).await.0, StatusCode::FORBIDDEN);
    let own = closed.server.url("").trim_end_matches('/').to_owned();
    assert_eq!(handshake(&closed, &[(ORIGIN, &own)]).await.0, StatusCode::SWITCHING_PROTOCOLS, "{own}");
    assert_eq!(handshake(&closed, &[(ORIGIN, &format!("{own}0"))]).await.0, StatusCode::FORBIDDEN);
    let open = World::with(|config| {
        config.centrifugo.client.allowed_origins = Origins::new(["https://*.example.com"]);
    });
    assert_eq!(handshake(&open, &[(ORIGIN, "https://a.example.com")]).await.0, StatusCode::SWITCHING_PROTOCOLS);
    assert_eq!(handshake(&open, &[(ORIGIN, "https://example.org")]).await.0, StatusCode::FORBIDDEN);
    assert_eq!(handshake(&open, &[(ORIGIN, "null")]).await.0, StatusCode::FORBIDDEN);
}

#[actix_web::test]
async fn commands_of_one_message_are_answered_in_order() {
    let world = World::start();
    let _bob = world.centrifugo("42").await;
    let mut alice = world.dials("").await;
    let lines = [
        json!({"connect": {"token": token(&json!({"sub": "1"})), "name": "js"}, "id": 11}),
        json!({"subscribe": {"channel": "status:42", "flag": 1}, "id": 12}),
        json!({"send": {"data": {}}}),
        json!({"presence_stats": {"channel": "status:42"}, "id": 13}),
        json!({"rpc": {"method": "nope"}, "id": 14}),
        json!({"rpc": {"method": "update_user_status"}, "id": 15}),
        json!({"unsubscribe": {"channel": "status:42"}, "id": 16}),
        json!({"subscribe": {"channel": "news"}, "id": 17}),
    ];
    alice.says(&lines.map(|line| line.to_string()).join("\n")).await;
    for id in 11..=17 {
        let reply = alice.hears().await;
        assert_eq!(reply["id"], id, "{reply}");
    }
    alice.says("{\"id\":18,\"rpc\":{\"method\":\"nope\"}}\nnonsense").await;
    assert_eq!(alice.hears().await["id"], 18);
    assert_eq!(alice.hears_close().await, (3501, "bad request".to_owned()));
}

#[actix_web::test]
async fn a_message_full_of_commands_is_worked_off() {
    let world = World::start();
    let mut bob = world.centrifugo("42").await;
    let line = r#"{"id":7,"rpc":{"method":"update_user_status","data":{}}}"#;
    let count = 65_536 / (line.len() + 1);
    bob.says(&vec![line; count].join("\n")).await;
    for _ in 0..count {
        assert_eq!(bob.hears().await, json!({"id": 7, "rpc": {}}));
    }
    bob.hears_nothing_more().await;
}

#[actix_web::test]
async fn protobuf_is_spoken_where_it_is_asked_for() {
    let world = World::start();
    for (query, name) in [("cf_protocol=protobuf", "41"), ("format=protobuf", "42")] {
        let mut alice = world.dials(query).await;
        let token = token(&json!({"sub": "1"}));
        let length = u8::try_from(token.len()).unwrap();
        assert!(length + 6 < 128, "the lengths below are written in one byte");
        let mut message = vec![length + 6, 0x08, 0x01, 0x22, length + 2, 0x0a, length];
        message.extend(token.as_bytes());
        message.extend(b"\x11\x08\x02\x2a\x0d\x0a\x09status:");
        message.extend(name.as_bytes());
        message.extend(b"\x70\x01");
        alice.says_bytes(&message).await;
        assert_eq!(alice.hears_bytes().await[1..4], [0x08, 0x01, 0x2a]);
        let absent = format!(r#"{{"user":"{name}","online":false,"statuses":[]}}"#);
        assert!(alice.hears_bytes().await.ends_with(absent.as_bytes()));
        let _bob = world.centrifugo(name).await;
        assert_eq!(alice.hears_bytes().await[1], 0x22, "a push");
        alice.says("{}").await;
        assert_eq!(alice.hears_close().await, (3501, "bad request".to_owned()));
    }
}

/// Answers have as long as a machine may pause without the server noticing.
fn quick_pings(config: &mut hereabouts::config::Config) {
    config.centrifugo.client.ping_interval = Period(Duration::from_millis(1300));
    config.centrifugo.client.pong_timeout = Period(Duration::from_millis(1200));
}

#[actix_web::test]
async fn a_ping_wants_its_answer() {
    let world = World::with(quick_pings);
    let mut alice = world.hidden("alice").await;
    alice.asks_and_hears(json!({"status_follow": {"user_ids": [user("42").to_string()]}})).await;
    let mut bob = world.centrifugo("42").await;
    assert_eq!(alice.sees().await, change(&["42:"], &[]));
    for _ in 0..2 {
        assert_eq!(bob.hears().await, json!({}));
        bob.says("{}").await;
    }
    assert_eq!(bob.hears().await, json!({}));
    assert_eq!(bob.hears_close().await, (3012, "no pong".to_owned()));
    assert_eq!(alice.sees().await, change(&[], &["42:"]));
}

#[actix_web::test]
async fn an_answer_to_nothing_closes_for_good() {
    let world = World::start();
    let mut bob = world.centrifugo("42").await;
    bob.says("{}").await;
    assert_eq!(bob.hears_close().await, (3501, "bad request".to_owned()));
}

#[actix_web::test]
async fn websockets_own_pings_take_the_place_where_the_client_wants_it() {
    let world = World::with(quick_pings);
    let mut bob = world.dials("cf_ws_frame_ping_pong=true").await;
    let reply = bob.asks("connect", json!({"token": token(&json!({"sub": "42"}))})).await;
    assert!(reply["connect"]["ping"].is_null() && reply["connect"]["pong"].is_null(), "{reply}");
    assert!(matches!(bob.hears_frame().await, Frame::Ping(_)));
}

#[actix_web::test]
async fn a_message_past_the_limit_closes() {
    let world = World::start();
    let mut bob = world.centrifugo("42").await;
    let command = r#"{"id":5,"rpc":{"method":"nope"}}"#;
    bob.says(&format!("{command}{}", " ".repeat(65_536 - command.len()))).await;
    assert_eq!(bob.hears().await["id"], 5);
    bob.says(&" ".repeat(65_537)).await;
    assert_eq!(bob.hears_close().await, (1009, "message too large".to_owned()));
}

#[actix_web::test]
async fn a_client_that_connects_late_or_twice_is_disconnected() {
    let world = World::start();
    for first in [r#"{"id":1,"rpc":{"method":"nope"}}"#, "{}", r#"{"send":{}}"#, "", "{"] {
        let mut client = world.dials("").await;
        client.says(first).await;
        assert_eq!(client.hears_close().await, (3501, "bad request".to_owned()), "{first}");
    }
    let mut bob = world.centrifugo("42").await;
    bob.says(&json!({"id": 2, "connect": {"token": token(&json!({"sub": "42"}))}}).to_string()).await;
    assert_eq!(bob.hears_close().await, (3501, "bad request".to_owned()));
}

#[actix_web::test]
async fn a_stop_reaches_clients_before_and_after_connect() {
    let world = World::start();
    let (mut bob, mut stranger) = (world.centrifugo("42").await, world.dials("").await);
    // There and back: the stranger's session has started.
    world.components.engine.close_all(CloseRequest::Drain);
    assert_eq!(bob.hears_close().await, (3001, "shutdown".to_owned()));
    let pending_connections = &world.components.endpoints.centrifugo.services.pending_connections;
    let closed = async {
        loop {
            pending_connections.close_all(CloseRequest::Drain);
            if let Ok(close) = actix_web::rt::time::timeout(Duration::from_millis(50), stranger.hears_close()).await {
                return close;
            }
        }
    };
    assert_eq!(closed.await, (3001, "shutdown".to_owned()));
}

#[actix_web::test]
async fn nobody_is_let_in_during_a_drain() {
    let world = World::start();
    let mut client = world.dials("").await;
    world.components.engine.refuse_new();
    client.says(&json!({"id": 1, "connect": {"token": token(&json!({"sub": "42"}))}}).to_string()).await;
    assert_eq!(client.hears_close().await, (3001, "shutdown".to_owned()));
}
