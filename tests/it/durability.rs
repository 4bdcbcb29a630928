//! What the built binary still knows after it was killed.

use std::time::Duration;

use hereabouts::clock::Clock;
use hereabouts::presence::time::Timestamp;
use serde_json::{Value, json};

use crate::binary::Server;

const SETTINGS: [(&str, &str); 2] =
    [("HEREABOUTS_HTTP_API__KEY", "secret"), ("HEREABOUTS_USER_STATUS__PRESENCE_UPDATE_INTERVAL", "100ms")];

async fn asks(server: &Server, method: &str, body: Value) -> Value {
    let client = awc::Client::builder().timeout(Duration::from_secs(20)).finish();
    let request = client.post(format!("http://{}/api/{method}", server.address)).insert_header(("X-API-Key", "secret"));
    let answer: Value = request.send_json(&body).await.unwrap().json().limit(1 << 20).await.unwrap();
    assert!(answer.get("error").is_none(), "{answer}");
    answer["result"].clone()
}

/// Where the next answer takes longer, the machine has paused: the server had not had the time to write either.
const PAUSE: Duration = Duration::from_millis(500);

/// What is left of a server that was killed among updates.
struct Killed {
    folder: tempfile::TempDir,
    at: Timestamp,
    /// When each round of updates was answered.
    noted: Vec<Timestamp>,
}

/// None: the machine paused just before the end.
async fn killed_among_updates(clock: &Clock) -> Option<Killed> {
    let server = Server::start(&SETTINGS);
    let client = awc::Client::builder().max_http_version(actix_web::http::Version::HTTP_11).finish();
    let token = Server::token("bob");
    let path = format!("http://{}/ws?token={token}&status=true", server.address);
    let (_, socket) = client.ws(path).connect().await.unwrap();
    asks(&server, "update_user_status", json!({"users": ["forgotten"], "state": "dnd"})).await;
    let mut noted: Vec<Timestamp> = Vec::new();
    let (mut begin, mut latest) = (clock.now(), clock.now());
    while latest.since(begin) < Duration::from_millis(2500) {
        let names: Vec<String> = (0..10).map(|other| format!("user-{}-{other}", noted.len())).collect();
        asks(&server, "update_user_status", json!({"users": names, "state": "dnd"})).await;
        let now = clock.now();
        if now.since(latest) > PAUSE {
            begin = now;
        }
        latest = now;
        noted.push(now);
    }
    asks(&server, "delete_user_status", json!({"users": ["forgotten"]})).await;
    let folder = server.crash();
    let at = clock.now();
    drop(socket);
    (at.since(latest) <= PAUSE).then_some(Killed { folder, at, noted })
}

#[actix_web::test]
async fn a_killed_server_loses_no_status_that_is_older_than_a_second() {
    let clock = Clock::system();
    let Killed { folder, at: killed, noted } = loop {
        if let Some(killed) = killed_among_updates(&clock).await {
            break killed;
        }
    };
    let server = Server::start_in(folder, &SETTINGS);
    let mut found = 0;
    for (round, at) in noted.iter().enumerate() {
        let names: Vec<String> = (0..10).map(|other| format!("user-{round}-{other}")).collect();
        let statuses = asks(&server, "get_user_status", json!({"users": names})).await["statuses"].clone();
        let whole =
            statuses.as_array().unwrap().iter().all(|status| status["state"] == "dnd" && status["active"].is_u64());
        let age = killed.since(*at);
        assert!(whole || age <= Duration::from_secs(1), "round {round} was {age:?} old: {statuses}");
        found += usize::from(whole);
    }
    assert!(found > 0);
    let bob = &asks(&server, "get_user_status", json!({"users": ["bob", "forgotten"]})).await["statuses"];
    let last = bob[0]["online"].as_u64().unwrap_or_default();
    assert!(last + 2 >= killed.as_secs(), "online at {last}, killed at {}", killed.as_secs());
    assert_eq!(bob[1], json!({"user": "forgotten"}), "what was forgotten came back");
    assert_eq!(server.stop(), (Some(0), vec![]));
}

#[actix_web::test]
async fn a_server_stopped_in_good_order_loses_nothing() {
    let server = Server::start(&SETTINGS);
    asks(&server, "update_user_status", json!({"users": ["alice"], "state": "dnd"})).await;
    let folder = server.stop_and_leave();
    let server = Server::start_in(folder, &SETTINGS);
    let status = asks(&server, "get_user_status", json!({"users": ["alice"]})).await["statuses"][0].clone();
    assert_eq!(status["state"], "dnd", "{status}");
}
