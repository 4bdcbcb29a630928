//! What `/ws` checks before the upgrade (section 2.1 of the Nakama protocol).

use actix_web::http::StatusCode;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{World, change};

/// Status, head in lower case, and body of what a handshake is answered with. Written by hand: a WebSocket client would
/// hide most of it.
async fn handshake(world: &World, path: &str, authorization: Option<&str>) -> (u16, String, String) {
    let authorization = authorization.map_or_else(String::new, |value| format!("Authorization: {value}\r\n"));
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate\r\n{authorization}\r\n"
    );
    let mut stream = TcpStream::connect(world.server.address()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let (head, mut body) = loop {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "the connection ended");
        if let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
            break (String::from_utf8_lossy(&answer[..end]).to_lowercase(), answer[end + 4..].to_vec());
        }
    };
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap_or("0");
    while body.len() < length.parse::<usize>().unwrap() {
        assert_ne!(stream.read_buf(&mut body).await.unwrap(), 0, "the connection ended");
    }
    (status, head, String::from_utf8_lossy(&body).into_owned())
}

#[actix_web::test]
async fn a_good_token_is_let_in_without_protocol_or_extension() {
    let world = World::start();
    let token = world.token("alice");
    for format in ["", "&format=", "&format=json", "&format=protobuf", "&lang=de&surprise=1&"] {
        let (status, headers, _) = handshake(&world, &format!("/ws?token={token}{format}"), None).await;
        assert_eq!(status, 101, "{format}");
        assert!(headers.contains("s3pplmbitxaq9kygzzhzrbk+xoo="), "{headers}");
        assert!(!headers.contains("sec-websocket-protocol") && !headers.contains("extensions"), "{headers}");
    }
}

#[actix_web::test]
async fn a_wrong_format_is_refused_before_the_token_is_looked_at() {
    let world = World::start();
    for format in ["xml", "JSON", "proto"] {
        let (status, headers, body) = handshake(&world, &format!("/ws?format={format}"), None).await;
        assert_eq!((status, body.as_str()), (400, "Invalid format parameter\n"));
        assert!(headers.contains("text/plain"), "{headers}");
    }
}

#[actix_web::test]
async fn a_missing_or_wrong_token_is_refused() {
    let world = World::start();
    let token = world.token("alice");
    let refused = (401, "Missing or invalid token\n".to_owned());
    for path in ["/ws".to_owned(), "/ws?token=".into(), "/ws?token=x".into(), format!("/ws?token={token}x")] {
        let (status, headers, body) = handshake(&world, &path, None).await;
        assert_eq!((status, body), refused, "{path}");
        assert!(headers.contains("text/plain"), "{headers}");
    }
}

#[actix_web::test]
async fn an_authorization_header_wins_over_the_query() {
    let world = World::start();
    let (good, path) = (format!("Bearer {}", world.token("alice")), format!("/ws?token={}", world.token("alice")));
    assert_eq!(handshake(&world, "/ws?token=wrong", Some(&good)).await.0, 101);
    for header in ["Bearer wrong", "Basic ZGVmYXVsdGtleTo=", "bearer x", ""] {
        assert_eq!(handshake(&world, &path, Some(header)).await.0, 401, "{header}");
    }
}

#[actix_web::test]
async fn a_revoked_token_is_refused() {
    let world = World::start();
    let token = world.token("alice");
    let auth = &world.components.endpoints.nakama.auth;
    let claims = auth.verify_session(&token).await.unwrap();
    auth.revoke(claims.user, Some(&claims), None).await.unwrap();
    assert_eq!(handshake(&world, &format!("/ws?token={token}"), None).await.0, 401);
}

#[actix_web::test]
async fn what_is_no_handshake_is_told_the_version() {
    let world = World::start();
    let path = format!("/ws?token={}", world.token("alice"));
    let mut response = world.server.get(&path).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert_eq!(response.headers().get("Sec-WebSocket-Version").unwrap(), "13");
    assert_eq!(response.body().await.unwrap(), "Bad Request\n");
    let mut response = world.server.post(&path).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.json::<serde_json::Value>().await.unwrap(), json!({"code": 5, "message": "Not Found"}));
}

#[actix_web::test]
async fn status_is_a_truth_value_of_go_and_anything_else_is_false() {
    let world = World::start();
    for yes in ["1", "t", "T", "TRUE", "true", "True"] {
        let mut person = world.connects("alice", &format!("status={yes}")).await;
        assert_eq!(person.sees().await, change(&["alice:"], &[]), "{yes}");
    }
    for no in ["0", "false", "False", "yes", "tRuE", ""] {
        let mut person = world.connects("bob", &format!("status={no}")).await;
        person.hears_nothing_more().await;
    }
}

#[actix_web::test]
async fn a_user_is_seen_as_soon_as_the_handshake_is_answered() {
    let world = World::start();
    let mut alice = world.hidden("alice").await;
    for round in 0..20 {
        let person = world.connects(&format!("person-{round}"), "status=true").await;
        let reply = alice.follows(&[&person]).await;
        assert_eq!(reply["status"]["presences"].as_array().map(Vec::len), Some(1), "{reply}");
    }
}

#[actix_web::test]
async fn nobody_is_let_in_during_a_drain() {
    let world = World::start();
    world.components.engine.refuse_new();
    let (status, _, body) = handshake(&world, &format!("/ws?token={}", world.token("alice")), None).await;
    assert_eq!((status, body.as_str()), (503, "the server is stopping\n"));
}
