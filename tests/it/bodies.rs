//! Request bodies: what they may take, from strangers and from callers with a key.

use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use hereabouts::auth::user_sig::UserSigs;
use hereabouts::config::value::{Period, Secret};
use hereabouts::presence::member_name::MemberName;
use serde_json::{Value, json};

use crate::binary::Server;
use crate::raw_http::{RawAnswer, RawHttp, SERVER_KEY};
use crate::world::{PATIENCE, World, config};

const CUSTOM: &str = "POST /v2/account/authenticate/custom";
const API_KEY: &str = "X-API-Key: key\r\n";
const MIB: u64 = 1024 * 1024;

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

fn world() -> World {
    World::with(|config| config.http_api.key = Some(Secret::new("key")))
}

/// The request line of Tencent's REST API, signed by an admin.
fn query_online(world: &World) -> String {
    let tencent = config().tencent;
    let sigs = UserSigs::new(tencent.sdk_app_id, tencent.secret_key.as_ref().unwrap());
    let admin = MemberName::new("administrator").unwrap();
    let sig = sigs.make(&admin, Duration::from_secs(3600), world.clock.time_of_day());
    format!(
        "POST /v4/openim/query_online_status?sdkappid={}&identifier=administrator&usersig={sig}",
        tencent.sdk_app_id
    )
}

/// Every face that reads a body: its request line, its key, a body that it accepts.
fn faces(world: &World) -> [(String, &'static str, Value); 6] {
    [
        (CUSTOM.into(), SERVER_KEY, json!({"id": "somebody-new"})),
        ("POST /v2/account/session/refresh".into(), SERVER_KEY, json!({"token": "x"})),
        (query_online(world), "", json!({"To_Account": ["alice"]})),
        ("POST /api/info".into(), API_KEY, json!({})),
        ("POST /api/batch".into(), API_KEY, json!({"commands": [{"info": {}}]})),
        ("POST /api".into(), API_KEY, json!({"method": "info"})),
    ]
}

async fn post(world: &World, line: &str, headers: &str, body: &[u8]) -> RawAnswer {
    let mut client = RawHttp::connect(world.server.address()).await;
    client.sends_head(line, &format!("{headers}Content-Length: {}\r\n", body.len())).await;
    client.sends(body).await;
    client.hears().await.expect("no answer")
}

#[actix_web::test]
async fn a_small_gzip_body_is_what_it_says() {
    let world = world();
    for (line, key, body) in faces(&world) {
        let zipped = gzip(body.to_string().as_bytes());
        let plain = post(&world, &line, key, body.to_string().as_bytes()).await;
        let answer = post(&world, &line, &format!("{key}Content-Encoding: gzip\r\n"), &zipped).await;
        assert_eq!(answer.status, plain.status, "{line}: {answer:?}");
        assert!(!answer.body.contains("encoding"), "{line}: {answer:?}");
    }
}

#[actix_web::test]
async fn a_body_that_inflates_too_far_is_413_in_the_form_of_its_api() {
    let world = world();
    let bomb = gzip(&vec![b' '; 8 << 20]);
    assert!(bomb.len() < config().server.max_body_bytes);
    for (line, key, _) in faces(&world) {
        let answer = post(&world, &line, &format!("{key}Content-Encoding: gzip\r\n"), &bomb).await;
        assert_eq!(answer.status, 413, "{line}: {answer:?}");
        let sentence = "request body too large";
        if line.contains("/api") {
            assert_eq!(answer.body, "Request Entity Too Large\n");
        } else if line.contains("/v4") {
            let expected = json!({"ActionStatus": "FAIL", "ErrorInfo": sentence, "ErrorCode": 93_000});
            assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap(), expected);
        } else {
            let expected = json!({"code": 3, "message": format!("http: {sentence}")});
            assert_eq!(serde_json::from_str::<Value>(&answer.body).unwrap(), expected);
        }
    }
}

#[actix_web::test]
async fn an_announced_body_that_is_too_large_is_413_before_it_comes() {
    let world = world();
    for (line, key, _) in faces(&world) {
        let mut client = RawHttp::connect(world.server.address()).await;
        client.sends_head(&line, &format!("{key}Content-Length: 1000000000\r\n")).await;
        assert_eq!(client.hears().await.unwrap().status, 413, "{line}");
    }
}

#[actix_web::test]
async fn a_stranger_is_refused_before_the_body() {
    let world = world();
    let update = ("PUT /v2/account".to_owned(), "", json!({}));
    let logout = ("POST /v2/session/logout".to_owned(), "", json!({}));
    for (line, ..) in faces(&world).into_iter().chain([update, logout]) {
        let line = line.split('?').next().unwrap().to_owned();
        let mut client = RawHttp::connect(world.server.address()).await;
        client.sends_head(&line, "Content-Length: 1000\r\nContent-Encoding: gzip\r\n").await;
        let answer = client.hears().await.unwrap();
        let expected = if line.contains("/v4") { 200 } else { 401 };
        assert_eq!(answer.status, expected, "{line}: {answer:?}");
        assert!(!line.contains("/v4") || answer.body.contains("FAIL"), "{answer:?}");
    }
}

#[actix_web::test]
async fn an_unknown_encoding_is_415_and_a_damaged_body_400() {
    let world = world();
    for (line, key, body) in faces(&world) {
        for encoding in ["br", "gzip, gzip", "compress"] {
            let headers = format!("{key}Content-Encoding: {encoding}\r\n");
            assert_eq!(post(&world, &line, &headers, body.to_string().as_bytes()).await.status, 415, "{line}");
        }
        let headers = format!("{key}Content-Encoding: gzip\r\n");
        assert_eq!(post(&world, &line, &headers, body.to_string().as_bytes()).await.status, 400, "{line}");
    }
}

#[actix_web::test]
async fn bodies_that_are_read_at_once_have_one_budget() {
    let world = World::with(|config| {
        config.server.max_body_memory = 1 << 20;
        config.server.request_timeout = Period(3 * PATIENCE);
    });
    let mut holding = Vec::new();
    // A body takes a power of two: three times 256 KiB and 128 KiB, so that 128 KiB are left.
    for size in [190_000, 190_000, 190_000, 100_000] {
        let mut client = RawHttp::connect(world.server.address()).await;
        client.sends_head(CUSTOM, &format!("{SERVER_KEY}Content-Length: {}\r\n", size + 1)).await;
        client.sends(vec![b' '; size]).await;
        holding.push(client);
    }
    // The four are read by and by.
    let large = vec![b' '; 200_000];
    let refused = async {
        loop {
            let answer = post(&world, CUSTOM, SERVER_KEY, &large).await;
            if answer.status == 503 {
                return answer;
            }
        }
    };
    let refused = tokio::time::timeout(PATIENCE, refused).await.expect("never refused");
    let expected = json!({"code": 14, "message": "http: too many request bodies at once"});
    assert_eq!(serde_json::from_str::<Value>(&refused.body).unwrap(), expected);
    for mut client in holding {
        client.sends(" ").await;
        assert_eq!(client.hears().await.unwrap().status, 400, "the body is no login");
    }
    assert_eq!(post(&world, CUSTOM, SERVER_KEY, &large).await.status, 400);
}

#[actix_web::test]
async fn a_crowd_of_bombs_takes_no_memory() {
    let server = Server::start(&[]);
    let bomb = gzip(&vec![b' '; 32 << 20]);
    let before = server.memory();
    let mut crowd = Vec::new();
    for _ in 0..64 {
        let mut client = RawHttp::connect(server.address).await;
        let headers = format!("{SERVER_KEY}Content-Encoding: gzip\r\nContent-Length: {}\r\n", bomb.len());
        client.sends_head(CUSTOM, &headers).await;
        client.sends(&bomb[..bomb.len() - 1]).await;
        crowd.push(client);
    }
    for client in &mut crowd {
        assert_eq!(client.hears().await.unwrap().status, 413);
        assert!(server.memory() < before + 64 * MIB, "{} MiB resident", server.memory() / MIB);
    }
}
