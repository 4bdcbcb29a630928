//! Many connections, and clients that do not read, on the built binary.

use std::time::Duration;

use actix_web::rt::time::timeout;
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream;
use serde_json::{Value, json};

use crate::binary::Server;
use crate::raw::RawClient;
use crate::world::{PATIENCE, user};

const CONNECTIONS: usize = 5_000;
const UPDATES: usize = 20;

/// Crowds do not answer pings, however long it takes.
const UNHEARD: (&str, &str) = ("HEREABOUTS_SESSION__PONG_TIMEOUT", "10m");

/// One client sends as much as the server takes. What the budget of work does about it is tested in `budget`.
const UNLIMITED: (&str, &str) = ("HEREABOUTS_LIMITS__WORK", "0");

async fn until(server: &Server, name: &str, expected: i64) {
    let reached = async {
        while server.metric(name).await != expected {
            actix_web::rt::task::yield_now().await;
        }
    };
    let reached = timeout(Duration::from_secs(60), reached).await;
    assert!(reached.is_ok(), "{name} is {} and not {expected}", server.metric(name).await);
}

fn joined(event: &Value) -> Option<&str> {
    event["status_presence_event"]["joins"][0]["status"].as_str()
}

/// Reads until the followed user shows this status.
async fn reads_until(client: &mut RawClient, status: &str) -> usize {
    let mut events = 0;
    loop {
        let event = client.hears().await.expect("the connection was dropped");
        events += usize::from(event["status_presence_event"].is_object());
        if joined(&event) == Some(status) {
            return events;
        }
    }
}

#[actix_web::test]
async fn five_thousand_connections_and_a_hundred_thousand_deliveries() {
    let server = Server::start(&[UNHEARD]);
    let mut star = RawClient::connect(server.address, &format!("token={}&status=true", Server::token("star"))).await;
    let token = Server::token("fan");
    let follow = json!({"cid": "1", "status_follow": {"user_ids": [user("star").to_string()]}});
    let fans: Vec<RawClient> = stream::iter(0..CONNECTIONS)
        .map(|_| async {
            let mut fan = RawClient::connect(server.address, &format!("token={token}&status=false")).await;
            fan.says(&follow).await;
            let reply = fan.hears().await.unwrap();
            assert_eq!(reply["status"]["presences"][0]["username"], "star", "{reply}");
            fan
        })
        .buffer_unordered(64)
        .collect()
        .await;
    assert_eq!(server.metric("hereabouts_connections").await, i64::try_from(CONNECTIONS + 1).unwrap());
    let mut fans = fans;
    for round in 0..UPDATES {
        let status = format!("round {round}");
        star.says(&json!({"status_update": {"status": status}})).await;
        let told = join_all(fans.iter_mut().map(|fan| reads_until(fan, &status)));
        let told = timeout(Duration::from_secs(60), told).await.expect("not everybody was told");
        assert_eq!(told.iter().sum::<usize>(), CONNECTIONS, "each fan is told once");
    }
    let deliveries = server.metric("hereabouts_deliveries_total").await;
    assert!(deliveries >= i64::try_from(CONNECTIONS * UPDATES).unwrap(), "{deliveries}");
    drop((fans, star));
    for name in ["hereabouts_connections", "hereabouts_users", "hereabouts_outbox_bytes", "hereabouts_mailbox_messages"]
    {
        until(&server, name, 0).await;
    }
    let (code, trouble) = server.stop();
    assert_eq!((code, trouble), (Some(0), vec![]));
}

/// The star shouts until the fan's outbox folds: the kernel's buffers and the outbox are full then. Or until the fan is
/// cut, where that comes first.
async fn shouts_until_it_folds(server: &Server, star: &mut RawClient) -> String {
    let mut shouts = 0;
    loop {
        for _ in 0..200 {
            shouts += 1;
            let status = format!("{shouts} {}", "x".repeat(2000));
            star.says(&json!({"cid": "1", "status_update": {"status": status}})).await;
            while star.hears().await.unwrap()["cid"] != "1" {}
        }
        if server.metric("hereabouts_folds_total").await > 0 || server.metric("hereabouts_connections").await < 2 {
            return format!("{shouts} {}", "x".repeat(2000));
        }
        assert!(shouts < 100_000, "nothing folded");
    }
}

#[actix_web::test]
async fn a_client_that_stops_reading_loses_nothing_but_what_is_old() {
    let server = Server::start(&[UNHEARD, UNLIMITED]);
    let mut star = RawClient::connect(server.address, &format!("token={}&status=true", Server::token("star"))).await;
    let mut fan = RawClient::connect(server.address, &format!("token={}", Server::token("fan"))).await;
    fan.says(&json!({"cid": "1", "status_follow": {"user_ids": [user("star").to_string()]}})).await;
    fan.hears().await.unwrap();
    let last = shouts_until_it_folds(&server, &mut star).await;
    let waiting = server.metric("hereabouts_outbox_bytes").await;
    assert!(waiting < 2 * 65_536 + 10_000, "{waiting} bytes wait for a client that does not read");
    timeout(PATIENCE, reads_until(&mut fan, &last)).await.expect("the latest state did not come");
    fan.says(&json!({"cid": "2", "ping": {}})).await;
    assert_eq!(fan.hears().await.unwrap(), json!({"cid": "2", "pong": {}}));
    assert_eq!(server.stop(), (Some(0), vec![]));
}

#[actix_web::test]
async fn a_client_that_takes_nothing_for_the_stall_timeout_is_cut() {
    let server = Server::start(&[("HEREABOUTS_SESSION__STALL_TIMEOUT", "1s"), UNLIMITED]);
    let mut star = RawClient::connect(server.address, &format!("token={}&status=true", Server::token("star"))).await;
    let mut fan = RawClient::connect(server.address, &format!("token={}", Server::token("fan"))).await;
    fan.says(&json!({"cid": "1", "status_follow": {"user_ids": [user("star").to_string()]}})).await;
    fan.hears().await.unwrap();
    shouts_until_it_folds(&server, &mut star).await;
    until(&server, "hereabouts_connections", 1).await;
    until(&server, "hereabouts_users", 1).await;
}

#[actix_web::test]
async fn a_client_that_asks_and_does_not_read_is_not_read_from_either() {
    let server = Server::start(&[UNLIMITED]);
    let mut client = RawClient::connect(server.address, &format!("token={}", Server::token("flood"))).await;
    let padding = "x".repeat(4000);
    let mut asked = 0;
    // Until nothing more can be sent: every buffer between here and the session is full then.
    let ask = |number: usize| json!({"cid": format!("{number} {padding}"), "ping": {}});
    while timeout(Duration::from_secs(1), client.says(&ask(asked))).await.is_ok() {
        asked += 1;
        assert!(asked < 100_000, "the server takes what it cannot answer");
    }
    let waiting = server.metric("hereabouts_outbox_bytes").await;
    assert!(waiting < 200_000, "{waiting} bytes of replies wait in the server");
    for number in 0..asked {
        let pong = timeout(PATIENCE, client.hears()).await.expect("an answer is missing").expect("dropped");
        assert_eq!(pong["cid"], ask(number)["cid"]);
    }
}
