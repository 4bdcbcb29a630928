//! Everything that goes wrong on a socket (sections 2.3 and 2.4 of the Nakama protocol).

use std::time::Duration;

use actix_http::ws::Item;
use actix_web::web::Bytes;
use awc::ws::{CloseCode, CloseReason, Frame, Message};
use futures_util::StreamExt;
use futures_util::future::join;
use hereabouts::config::value::Period;
use serde_json::json;

use crate::world::{PATIENCE, World, change};

#[actix_web::test]
async fn a_malformed_payload_gets_an_error_then_the_close_and_followers_are_told_at_once() {
    let world = World::start();
    let cases = [
        ("{", "received malformed payload"),
        (r#"{"cid":1,"ping":{}}"#, "received malformed payload"),
        (r#"{"status_update":{"status":5}}"#, "received malformed payload"),
        ("", "received malformed payload"),
        ("null", "received malformed payload"),
        ("[]", "received malformed payload"),
        ("{}", "error processing message"),
        (r#"{"cid":"1","ping":null}"#, "error processing message"),
        (r#"{"cid":"1","status":{}}"#, "error processing message"),
    ];
    let mut alice = world.hidden("alice").await;
    alice.follows(&[&world.hidden("bob").await]).await;
    for (frame, reason) in cases {
        let mut bob = world.online("bob").await;
        assert_eq!(alice.sees().await, change(&["bob:"], &[]));
        bob.says(frame).await;
        let error = bob.hears().await;
        assert!(error["error"]["message"].is_string(), "{frame}: {error}");
        assert_eq!(bob.hears_close().await, (1000, reason.to_owned()), "{frame}");
        assert_eq!(alice.sees().await, change(&[], &["bob:"]), "{frame}");
    }
}

#[actix_web::test]
async fn the_wrong_kind_of_frame_closes() {
    let world = World::start();
    let expected = (1000, "received unexpected WebSocket message type".to_owned());
    let mut json = world.hidden("alice").await;
    json.sends(Message::Binary(Bytes::from_static(b"{}"))).await;
    json.hears().await;
    assert_eq!(json.hears_close().await, expected);
    let mut protobuf = world.connects("alice", "format=protobuf").await;
    protobuf.says("{}").await;
    protobuf.hears_binary().await;
    assert_eq!(protobuf.hears_close().await, expected);
}

#[actix_web::test]
async fn a_protobuf_socket_speaks_protobuf() {
    let world = World::start();
    let mut bob = world.connects("bob", "format=protobuf&status=true").await;
    let join = bob.hears_binary().await;
    assert_eq!(join[..2], [0xda, 0x01], "a status_presence_event");
    bob.sends(Message::Binary(Bytes::from_static(&[0x0a, 0x01, 0x31, 0x82, 0x02, 0x00]))).await;
    assert_eq!(bob.hears_binary().await[..], [0x0a, 0x01, 0x31, 0x8a, 0x02, 0x00]);
    bob.sends(Message::Binary(Bytes::from_static(&[0xff]))).await;
    assert_eq!(bob.hears_binary().await[0], 0x5a, "an error");
    assert_eq!(bob.hears_close().await, (1000, "received malformed payload".to_owned()));
}

#[actix_web::test]
async fn out_of_scope_messages_get_an_error_and_the_socket_stays() {
    let world = World::start();
    let mut alice = world.hidden("alice").await;
    for message in [json!({"match_join": {"match_id": "x"}}), json!({"rpc": {"id": "x"}}), json!({"party_create": {}})]
    {
        let answer = alice.asks_and_hears(message).await;
        assert_eq!(answer["error"]["code"], 1, "{answer}");
    }
    alice.hears_nothing_more().await;
}

#[actix_web::test]
async fn a_message_may_fill_the_limit_and_not_pass_it() {
    let world = World::with(|config| config.session.max_message_bytes = 4096);
    let padded = |length: usize| {
        let frame = r#"{"ping":{},"padding":""}"#;
        frame.replace(r#"":""#, &format!(r#"":"{}"#, "x".repeat(length - frame.len())))
    };
    let mut alice = world.hidden("alice").await;
    alice.says(&padded(4096)).await;
    assert_eq!(alice.hears().await, json!({"pong": {}}));
    alice.says(&padded(4097)).await;
    assert_eq!(alice.hears_close().await, (1009, String::new()));
}

#[actix_web::test]
async fn fragments_are_one_message_and_count_together() {
    let world = World::with(|config| config.session.max_message_bytes = 4096);
    let mut alice = world.hidden("alice").await;
    alice.sends(Message::Continuation(Item::FirstText(Bytes::from_static(b"{\"pi")))).await;
    alice.sends(Message::Ping(Bytes::from_static(b"between"))).await;
    alice.sends(Message::Continuation(Item::Continue(Bytes::from_static(b"ng\":")))).await;
    alice.sends(Message::Continuation(Item::Last(Bytes::from_static(b"{}}")))).await;
    assert_eq!(alice.hears().await, json!({"pong": {}}));
    alice.sends(Message::Continuation(Item::FirstText(Bytes::from(vec![b' '; 3000])))).await;
    alice.sends(Message::Continuation(Item::Continue(Bytes::from(vec![b' '; 3000])))).await;
    assert_eq!(alice.hears_close().await, (1009, String::new()));
}

#[actix_web::test]
async fn a_text_that_is_no_utf8_is_malformed() {
    let world = World::start();
    let mut alice = world.hidden("alice").await;
    alice.sends(Message::Continuation(Item::FirstText(Bytes::from_static(b"{\"\xc3")))).await;
    alice.sends(Message::Continuation(Item::Last(Bytes::from_static(b"\x28")))).await;
    assert_eq!(alice.hears_close().await, (1000, "received malformed payload".to_owned()));
}

#[actix_web::test]
async fn a_ping_frame_is_answered_with_its_payload() {
    let world = World::start();
    let mut alice = world.hidden("alice").await;
    alice.sends(Message::Pong(Bytes::from_static(b"unasked"))).await;
    alice.sends(Message::Ping(Bytes::from_static(b"are you there"))).await;
    let answer = actix_web::rt::time::timeout(PATIENCE, alice.socket.next()).await.unwrap().unwrap().unwrap();
    assert_eq!(answer, Frame::Pong(Bytes::from_static(b"are you there")));
}

#[actix_web::test]
async fn the_clients_close_is_echoed_without_its_reason_and_the_line_ends() {
    let world = World::start();
    let mut alice = world.hidden("alice").await;
    let reason = CloseReason { code: CloseCode::Other(4001), description: Some("bye".into()) };
    alice.sends(Message::Close(Some(reason))).await;
    assert_eq!(alice.hears_close().await, (4001, String::new()));
    let end = actix_web::rt::time::timeout(PATIENCE, alice.socket.next()).await.unwrap();
    assert!(end.is_none(), "still there: {end:?}");
}

#[actix_web::test]
async fn a_silent_client_is_pinged_then_gone() {
    let world = World::with(|config| {
        config.session.ping_interval = Period(Duration::from_millis(300));
        config.session.pong_timeout = Period(Duration::from_millis(2000));
        config.session.close_timeout = Period(Duration::from_millis(200));
    });
    let mut alice = world.online("alice").await;
    let mut bob = world.online("bob").await;
    alice.follows(&[&bob]).await;
    // Bob's end takes the ping and says nothing; Alice's answers hers while she listens.
    let (ping, last_seen) = join(bob.socket.next(), alice.sees()).await;
    assert_eq!(ping.unwrap().unwrap(), Frame::Ping(Bytes::new()));
    assert_eq!(last_seen, change(&[], &["bob:"]));
    assert_eq!(bob.hears_close().await, (1000, "no pong received in time".to_owned()));
    let end = actix_web::rt::time::timeout(PATIENCE, bob.socket.next()).await.unwrap();
    assert!(end.is_none(), "still there although it did not answer the close: {end:?}");
}

#[actix_web::test]
async fn a_line_that_breaks_is_a_leave() {
    let world = World::start();
    let mut alice = world.hidden("alice").await;
    let first = world.online("bob").await;
    alice.follows(&[&first]).await;
    drop(first);
    assert_eq!(alice.sees().await, change(&[], &["bob:"]));
    for _ in 0..20 {
        let bob = world.online("bob").await;
        assert_eq!(alice.sees().await, change(&["bob:"], &[]));
        drop(bob);
        assert_eq!(alice.sees().await, change(&[], &["bob:"]));
    }
}

#[actix_web::test]
async fn too_many_commands_are_refused_and_the_socket_stays() {
    let world = World::with(|config| {
        config.limits.commands = 3;
        config.limits.commands_window = Period(Duration::from_secs(3600));
    });
    let mut alice = world.hidden("alice").await;
    for _ in 0..3 {
        alice.hears_nothing_more().await;
    }
    let refused = alice.asks_and_hears(json!({"ping": {}})).await;
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("Limit of 3 commands reached, try again in "), "{message}");
}

#[actix_web::test]
async fn a_flood_of_commands_is_taken_in_order_however_long() {
    let world = World::start();
    let mut alice = world.hidden("alice").await;
    let bob = world.hidden("bob").await;
    let (count, id) = (3000, bob.id());
    for number in 0..count {
        let frame = json!({"cid": number.to_string(), "status_follow": {"user_ids": [id]}}).to_string();
        alice.says(&frame).await;
    }
    for number in 0..count {
        assert_eq!(alice.hears().await["cid"], number.to_string().as_str());
    }
}
