//! Requests that are not what they seem: other spellings of a path, other protocols, no HTTP at all.

use hereabouts::config::Exposure;
use hereabouts::config::value::Secret;

use crate::binary::Server;
use crate::raw_http::{RawAnswer, RawHttp};
use crate::serving::Serving;
use crate::world::{World, config};

async fn get(world: &World, path: &str, headers: &str) -> RawAnswer {
    let mut client = RawHttp::connect(world.server.address()).await;
    client.sends_head(&format!("GET {path}"), headers).await;
    client.hears().await.expect("no answer")
}

#[actix_web::test]
async fn every_path_has_one_spelling() {
    let world = World::with(|config| config.http_api.key = Some(Secret::new("key")));
    assert_eq!(get(&world, "/metrics", "").await.status, 200);
    for alias in [
        "/%6detrics",
        "/%6Detrics",
        "/metric%73",
        "/%2fmetrics",
        "//metrics",
        "/./metrics",
        "/metrics/",
        "/metrics%00",
        "/metrics%3f",
        "/%76%32/user",
        "/v2/%75ser",
        "/v2%2Fuser",
        "/he%61lth",
        "/api%2fdocs/",
        "/api/d%6fcs/",
        "/page%2ejs",
        "/%77s?token=x",
    ] {
        assert_eq!(get(&world, alias, "").await.status, 404, "{alias}");
    }
    let socket = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                  Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let path = format!("/%77s?token={}", world.token("alice"));
    assert_eq!(get(&world, &path, socket).await.status, 404);
    let mut client = RawHttp::connect(world.server.address()).await;
    client.sends_head("POST /api/%69nfo", "X-API-Key: key\r\nContent-Length: 2\r\n").await;
    client.sends("{}").await;
    assert_eq!(client.hears().await.unwrap().status, 404);
}

#[actix_web::test]
async fn an_offer_of_http_2_is_declined_without_accepting_it() {
    let world = World::start();
    let offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n";
    let answer = get(&world, "/health", offer).await;
    assert_eq!(answer.status, 200);
    assert!(!answer.head.contains("upgrade"), "{}", answer.head);
}

#[actix_web::test]
async fn a_handshake_of_another_version_is_told_the_right_one() {
    let world = World::start();
    let handshake = |version: &str, key: &str| {
        format!(
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: {version}\r\n\
             Sec-WebSocket-Key: {key}\r\n"
        )
    };
    let nakama = format!("/ws?token={}", world.token("alice"));
    for path in [nakama.as_str(), "/connection/websocket", "/im"] {
        let answer = get(&world, path, &handshake("8", "dGhlIHNhbXBsZSBub25jZQ==")).await;
        assert_eq!(answer.status, 426, "{path}");
        assert!(answer.head.contains("sec-websocket-version: 13"), "{}", answer.head);
        assert_eq!(get(&world, path, &handshake("13", "x")).await.status, 400, "{path}");
        assert_eq!(get(&world, path, &handshake("13", "dGhlIHNhbXBsZSBub25jZQ==")).await.status, 101, "{path}");
    }
}

#[actix_web::test]
async fn what_is_no_http_is_counted_and_not_logged_one_by_one() {
    let server = Server::start(&[]);
    for _ in 0..50 {
        let mut client = RawHttp::connect(server.address).await;
        client.sends("no HTTP\r\n\r\n").await;
        assert_eq!(client.hears().await.unwrap().status, 400);
        client.hears_to_the_end().await;
    }
    assert_eq!(server.metric("hereabouts_http_malformed_total").await, 50);
    assert_eq!(server.count_lines("malformed"), 1);
    assert_eq!(server.stop(), (Some(0), vec![]));
}

#[actix_web::test]
async fn metrics_and_the_description_are_for_loopback_unless_the_configuration_says_otherwise() {
    let paths = ["/metrics", "/api/docs/", "/api/openapi.json"];
    for (exposure, status) in [(Exposure::Loopback, 404), (Exposure::Always, 200), (Exposure::Never, 404)] {
        let mut config = config();
        // The test server listens on loopback all the same.
        config.server.address = "192.0.2.1:7350".parse().unwrap();
        config.operation.metrics = exposure;
        config.http_api.swagger = exposure;
        let (server, _components) = Serving::actix_test_server(&config, &hereabouts::clock::Clock::system());
        for path in paths {
            assert_eq!(server.get(path).send().await.unwrap().status(), status, "{path} {exposure:?}");
        }
        assert_eq!(server.get("/health").send().await.unwrap().status(), 200);
    }
}
