//! Clients that send, read or end nothing: every wait for them has a deadline.

use std::time::Duration;

use hereabouts::config::value::{Period, Secret};
use serde_json::{Value, json};

use crate::raw::RawClient;
use crate::raw_http::{RawHttp, SERVER_KEY};
use crate::world::World;

const CUSTOM: &str = "POST /v2/account/authenticate/custom";

const WEBSOCKET: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";

/// A server that waits shortly for a request, and long for everything else.
fn impatient() -> World {
    World::with(|config| {
        config.server.request_timeout = Period(Duration::from_millis(300));
        config.http_api.key = Some(Secret::new("key"));
    })
}

async fn connect(world: &World) -> RawHttp {
    RawHttp::connect(world.server.address()).await
}

/// The connection is told 408, and ends.
async fn is_timed_out(client: &mut RawHttp) -> String {
    let answer = client.hears().await.expect("no answer");
    assert_eq!(answer.status, 408, "{answer:?}");
    assert!(client.ends().await);
    answer.body
}

#[actix_web::test]
async fn a_head_that_never_ends_is_timed_out_and_one_that_never_begins_is_closed() {
    let world = impatient();
    let mut client = connect(&world).await;
    client.sends("GET /health HTTP/1.1\r\nHost: he").await;
    is_timed_out(&mut client).await;
    assert!(connect(&world).await.ends().await);
}

#[actix_web::test]
async fn the_head_of_a_second_request_is_timed_out() {
    let world = impatient();
    for second in ["G", "\r\n", "GET /health HTTP/1.1\r\nX: ", "POST /health HTTP/1.1\r\nHost: here\r\n"] {
        let mut client = connect(&world).await;
        client.sends_head("GET /health", "").await;
        assert_eq!(client.hears().await.unwrap().status, 200);
        client.sends(second).await;
        is_timed_out(&mut client).await;
    }
}

#[actix_web::test]
async fn a_body_that_never_comes_is_timed_out_in_the_form_of_its_api() {
    let world = impatient();
    let timed_out = json!({"code": 4, "message": "http: request timed out"});
    for upgrade in ["", WEBSOCKET] {
        let mut client = connect(&world).await;
        client.sends_head(CUSTOM, &format!("{SERVER_KEY}{upgrade}Content-Length: 20\r\n")).await;
        client.sends("{\"id\":").await;
        let body = is_timed_out(&mut client).await;
        assert_eq!(serde_json::from_str::<Value>(&body).unwrap(), timed_out);
    }
    let mut client = connect(&world).await;
    client.sends_head("POST /api/info", "X-API-Key: key\r\nTransfer-Encoding: chunked\r\n").await;
    client.sends("1\r\n{\r\n").await;
    assert_eq!(is_timed_out(&mut client).await, "Request Timeout\n");
}

#[actix_web::test]
async fn a_chunk_extension_that_never_ends_is_timed_out() {
    let world = impatient();
    for line in [CUSTOM, "POST /nothing"] {
        let mut client = connect(&world).await;
        client.sends_head(line, &format!("{SERVER_KEY}Transfer-Encoding: chunked\r\n")).await;
        client.sends("1;").await;
        client.sends_to_the_end(&[b'x'; 1000]).await;
    }
}

#[actix_web::test]
async fn the_rest_of_a_request_that_was_answered_is_not_read_endlessly() {
    let world = impatient();
    let mut client = connect(&world).await;
    client.sends_head("POST /nothing", "Transfer-Encoding: chunked\r\n").await;
    let answer = client.hears().await.unwrap();
    assert_eq!(answer.status, 404);
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    client.sends_to_the_end(b"1\r\nx\r\n").await;
}

#[actix_web::test]
async fn a_request_that_offers_a_websocket_and_has_a_body_is_a_request() {
    let world = World::start();
    let body = r#"{"id":"somebody-new"}"#;
    let mut client = connect(&world).await;
    let headers = format!("{SERVER_KEY}{WEBSOCKET}Content-Length: {}\r\n", body.len());
    client.sends_head(CUSTOM, &headers).await;
    client.sends(body).await;
    let answer = client.hears().await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.contains("connection: close"), "{}", answer.head);
    assert!(client.ends().await);
}

#[actix_web::test]
async fn an_idle_connection_is_closed_and_an_open_websocket_is_not() {
    let world = World::with(|config| {
        config.server.request_timeout = Period(Duration::from_millis(300));
        config.server.keep_alive = Period(Duration::from_millis(300));
    });
    let mut socket = RawClient::connect(world.server.address(), &format!("token={}", world.token("alice"))).await;
    let mut client = connect(&world).await;
    client.sends_head("GET /health", "").await;
    assert_eq!(client.hears().await.unwrap().status, 200);
    assert!(client.ends().await);
    socket.says(&json!({"cid": "1", "ping": {}})).await;
    assert_eq!(socket.hears().await.unwrap(), json!({"cid": "1", "pong": {}}));
}

#[actix_web::test]
async fn a_response_that_nobody_reads_is_cut() {
    let world = World::with(|config| config.server.keep_alive = Period(Duration::from_millis(300)));
    let mut client = connect(&world).await.reads_little();
    // More than the kernel holds for the two sides.
    for _ in 0..16 {
        client.sends_head("GET /api/docs/swagger-ui-bundle.js", "").await;
    }
    let metrics = world.components.metrics.clone();
    let cut = async {
        while metrics.http().timed_out.get() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(crate::world::PATIENCE, cut).await.expect("it was not cut");
}

#[actix_web::test]
async fn a_head_that_is_too_long_is_refused_before_it_ends() {
    let world = World::start();
    let mut client = connect(&world).await;
    client.sends("GET /health HTTP/1.1\r\nHost: here\r\nX: ").await;
    client.sends([b'x'; 40 * 1024]).await;
    assert_eq!(client.hears().await.unwrap().status, 431);
    let mut client = connect(&world).await;
    client.sends_head("GET /health", &format!("X: {}\r\n", "x".repeat(30 * 1024))).await;
    assert_eq!(client.hears().await.unwrap().status, 200);
}

#[actix_web::test]
async fn requests_that_follow_one_another_without_waiting_are_all_answered() {
    let world = impatient();
    let mut client = connect(&world).await;
    let body = format!("{}{{\"id\":\"somebody-new\"}}", " ".repeat(100 * 1024));
    let post = format!("{CUSTOM} HTTP/1.1\r\nHost: here\r\n{SERVER_KEY}Content-Length: {}\r\n\r\n{body}", body.len());
    client.sends(format!("{post}GET /health HTTP/1.1\r\nHost: here\r\n\r\n{post}")).await;
    for status in [200, 200, 200] {
        assert_eq!(client.hears().await.unwrap().status, status);
    }
}
