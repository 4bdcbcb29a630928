//! What all endpoints share: keys, order of checks, headers, methods, bodies.

use std::time::Duration;

use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::world::World;

const CUSTOM: &str = "/v2/account/authenticate/custom";

/// `{"id":"custom-zip"}` by gzip.
const ZIPPED: [u8; 39] = [
    0x1f, 0x8b, 0x8, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0, 0x3, 0xab, 0x56, 0xca, 0x4c, 0x51, 0xb2, 0x52, 0x4a, 0x2e, 0x2d,
    0x2e, 0xc9, 0xcf, 0xd5, 0xad, 0xca, 0x2c, 0x50, 0xaa, 0x5, 0x0, 0x4c, 0xdb, 0xab, 0x35, 0x13, 0x0, 0x0, 0x0,
];

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

#[actix_web::test]
async fn the_server_key_is_a_basic_user_name() {
    let world = World::start();
    let with = |value: &str| world.post(CUSTOM).header("Authorization", value).json(json!({"id": "custom-1"}));
    world.post(CUSTOM).json(json!({"id": "custom-1"})).fails(401, 16, "Server key required").await;
    let encoded = |text: &str| format!("Basic {}", STANDARD.encode(text));
    let wrong = ["Basic %%%", "Bearer x", "basic ZGVmYXVsdGtleTo=", "Basic", ""].map(str::to_owned);
    for value in wrong.into_iter().chain([encoded("wrong:"), encoded("defaultkey"), encoded("defaultkeyx:")]) {
        with(&value).fails(401, 16, "Server key invalid").await;
    }
    with(&encoded("defaultkey:whatever")).is(200).await;
}

#[actix_web::test]
async fn everything_else_takes_a_bearers_token() {
    let world = World::start();
    let session = world.signs_in("custom-1").await;
    let token = session["token"].as_str().unwrap();
    world.get("/v2/account").fails(401, 16, "Auth token required").await;
    let refresh = format!("Bearer {}", session["refresh_token"].as_str().unwrap());
    let cases = [
        refresh,
        format!("bearer {token}"),
        format!("Bearer {token}x"),
        "Basic ZGVmYXVsdGtleTo=".into(),
        "Bearer ".into(),
    ];
    for value in &cases {
        world.get("/v2/account").header("Authorization", value).fails(401, 16, "Auth token invalid").await;
    }
    world.clock.advance(Duration::from_secs(3599));
    world.get("/v2/account").bearer(token).is(200).await;
    world.clock.advance(Duration::from_secs(1));
    world.get("/v2/account").bearer(token).fails(401, 16, "Auth token invalid").await;
}

#[actix_web::test]
async fn the_key_is_checked_before_the_body_and_the_body_before_the_values() {
    let world = World::start();
    world.post(CUSTOM).text("not json").fails(401, 16, "Server key required").await;
    assert_eq!(world.post(CUSTOM).key().text("not json").is(400).await["code"], 3);
    world.post(CUSTOM).json(json!({"id": ""})).fails(401, 16, "Server key required").await;
    world.post(CUSTOM).key().json(json!({"id": ""})).fails(400, 3, "Custom ID is required.").await;
    for body in ["{", "[]", "5", r#"{"id":5}"#, r#"{"id":["x"]}"#, r#"{"id":"a"} x"#] {
        assert_eq!(world.post(CUSTOM).key().text(body).is(400).await["code"], 3, "{body}");
    }
}

#[actix_web::test]
async fn bodies_and_queries_are_read_generously() {
    let world = World::start();
    let body = json!({"id": "custom-1", "surprise": {"a": 1}});
    world.post(&format!("{CUSTOM}?")).key().json(body.clone()).is(200).await;
    world.post(&format!("{CUSTOM}?surprise=1&&")).key().json(body.clone()).is(200).await;
    let form = world.post(CUSTOM).key().header("Content-Type", "application/x-www-form-urlencoded");
    form.json(body).is(200).await;
    world.post(CUSTOM).key().text("null").fails(400, 3, "Custom ID is required.").await;
}

#[actix_web::test]
async fn an_oversize_body_is_refused() {
    let world = World::start();
    let large = format!(r#"{{"id":"{}"}}"#, "x".repeat(262_145));
    world.post(CUSTOM).key().text(&large).fails(413, 3, "http: request body too large").await;
}

#[actix_web::test]
async fn unknown_paths_and_wrong_methods() {
    let world = World::start();
    for path in ["/v2/nothing", "/v2/account/", "/v2/account/authenticate/custom/", "/v3/account", "/nothing"] {
        world.get(path).fails(404, 5, "Not Found").await;
    }
    for (method, path) in [(Method::GET, CUSTOM), (Method::DELETE, "/v2/account"), (Method::POST, "/v2/user")] {
        world.request(method, path).fails(501, 12, "Method Not Allowed").await;
    }
    assert_eq!(world.get("/healthcheck").is(200).await, json!({}));
}

#[actix_web::test]
async fn answers_carry_their_headers() {
    let world = World::start();
    let (_, headers, _) = world.post(CUSTOM).key().json(json!({"id": "custom-1"})).sends().await;
    assert_eq!(header(&headers, "content-type"), "application/json");
    assert_eq!(header(&headers, "cache-control"), "no-store, no-cache, must-revalidate");
    assert!(header(&headers, "vary").to_lowercase().contains("accept-encoding"));
    let (_, headers, _) = world.get("/v2/account").sends().await;
    assert_eq!(header(&headers, "www-authenticate"), "Auth token required");
    assert_eq!(header(&headers, "content-type"), "application/json");
}

#[actix_web::test]
async fn any_origin_may_ask_a_sandboxed_page_too() {
    let world = World::start();
    for origin in ["null", "http://example.com"] {
        for path in ["/v2/account", "/v2/nothing", "/healthcheck"] {
            let (_, headers, _) = world.get(path).header("Origin", origin).sends().await;
            assert_eq!(header(&headers, "access-control-allow-origin"), "*", "{origin} {path}");
        }
        let preflight = world
            .request(Method::OPTIONS, "/v2/account")
            .header("Origin", origin)
            .header("Access-Control-Request-Method", "PUT")
            .header("Access-Control-Request-Headers", "authorization,content-type");
        let (status, headers, body) = preflight.sends().await;
        assert_eq!((status, body.as_str()), (200, ""));
        assert_eq!(header(&headers, "access-control-allow-origin"), "*");
        let allowed = header(&headers, "access-control-allow-headers").to_lowercase();
        assert!(allowed.contains("authorization") && allowed.contains("content-type"), "{allowed}");
        assert!(header(&headers, "access-control-allow-methods").contains("PUT"));
    }
}

#[actix_web::test]
async fn bodies_are_compressed_either_way() {
    let world = World::start();
    let token = world.token("custom-1").await;
    let (status, headers, body) =
        world.get("/v2/account").bearer(&token).header("Accept-Encoding", "gzip").sends().await;
    assert_eq!((status, header(&headers, "content-encoding")), (200, "gzip"));
    assert!(body.contains("custom-1"), "the client unpacks it: {body}");
    let zipped = world.post(CUSTOM).key().header("Content-Encoding", "gzip").bytes(&ZIPPED);
    assert_eq!(zipped.is(200).await["created"], true);
    world.post(&format!("{CUSTOM}?create=false")).key().json(json!({"id": "custom-zip"})).is(200).await;
}
