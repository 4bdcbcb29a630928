//! Refusals can be seen: by the client, and by the operator.

use std::collections::HashMap;

use serde_json::json;

use crate::tencent::Device;
use crate::world::World;

impl World {
    /// The value of a metric with its labels.
    pub async fn counted(&self, metric: &str) -> u64 {
        let mut response = self.server.get("/metrics").send().await.unwrap();
        let text = String::from_utf8(response.body().await.unwrap().to_vec()).unwrap();
        let found: HashMap<&str, &str> = text.lines().filter_map(|line| line.rsplit_once(' ')).collect();
        found.get(metric).map_or(0, |value| value.parse().unwrap())
    }

    async fn refused(&self, dialect: &str, reason: &str) -> u64 {
        self.counted(&format!("hereabouts_refused_total{{dialect=\"{dialect}\",reason=\"{reason}\"}}")).await
    }

    /// Until that many connections ended in this way.
    async fn until_closed(&self, dialect: &str, code: &str, count: u64) {
        let metric = format!("hereabouts_closed_total{{dialect=\"{dialect}\",code=\"{code}\"}}");
        let reached = async { while self.counted(&metric).await < count {} };
        let reached = tokio::time::timeout(crate::world::PATIENCE, reached).await;
        assert!(reached.is_ok(), "{metric} is not {count}");
    }
}

#[actix_web::test]
async fn a_forbidden_origin_is_told_which_setting_would_allow_it() {
    let world = World::start();
    let request = world.server.get("/connection/websocket").insert_header(("Origin", "https://example.com"));
    let mut response = request.send().await.unwrap();
    assert_eq!(response.status(), 403);
    assert_eq!(
        response.body().await.unwrap(),
        "Forbidden: centrifugo.client.allowed_origins does not contain the origin \"https://example.com\"\n"
    );
    assert_eq!(world.refused("centrifugo", "origin").await, 1);
}

#[actix_web::test]
async fn every_refusal_is_counted_with_its_dialect_and_reason() {
    let world = World::with(|config| config.limits.follows_per_session = 1);
    for (path, dialect, reason) in [
        ("/ws?token=x", "nakama", "token"),
        ("/ws?format=xml", "nakama", "handshake"),
        ("/connection/websocket", "centrifugo", "handshake"),
        ("/im", "tencent", "handshake"),
    ] {
        assert!(world.server.get(path).send().await.unwrap().status().is_client_error(), "{path}");
        assert_eq!(world.refused(dialect, reason).await, 1, "{path}");
    }
    assert_eq!(world.server.get("/v2/account").send().await.unwrap().status(), 401);
    assert_eq!(world.refused("nakama", "token").await, 2, "a request of the REST API");
    assert_eq!(world.server.post("/v4/openim/query_online_status").send().await.unwrap().status(), 200);
    assert_eq!(world.refused("tencent", "token").await, 1);
    let mut alice = world.hidden("alice").await;
    let ids = ["a", "b"].map(|name| crate::world::user(name).to_string());
    alice.asks_and_hears(json!({"status_follow": {"user_ids": ids}})).await;
    assert_eq!(world.refused("nakama", "follow_limit").await, 1);
    alice.says("{").await;
    alice.hears().await;
    alice.hears_close().await;
    assert_eq!(world.refused("nakama", "message").await, 1);
    let mut stranger = world.dials("").await;
    stranger.says(&json!({"id": 1, "connect": {"token": "x"}}).to_string()).await;
    assert_eq!(stranger.hears_close().await.0, 3500);
    assert_eq!(world.refused("centrifugo", "token").await, 1);
    let mut early = world.dials("").await;
    early.says(&json!({"id": 1, "subscribe": {"channel": "status:a"}}).to_string()).await;
    assert_eq!(early.hears_close().await.0, 3501);
    assert_eq!(world.refused("centrifugo", "message").await, 1);
    let mut device = Device::connects(&world, "ian").await;
    device.is_refused("getUserStatus", json!({"userIDList": ["a"]})).await;
    assert_eq!(world.refused("tencent", "unauthenticated").await, 1);
    device.is_refused("login", json!({"SDKAppID": 1_400_000_000, "userID": "ian", "userSig": "x"})).await;
    assert_eq!(world.refused("tencent", "token").await, 2);
    device.is_refused("nope", json!({})).await;
    assert_eq!(world.refused("tencent", "message").await, 1);
}

#[actix_web::test]
async fn ends_of_connections_are_counted_by_close_code() {
    let world = World::start();
    drop(world.hidden("lost").await);
    world.until_closed("nakama", "lost", 1).await;
    let mut polite = world.hidden("polite").await;
    let close = awc::ws::CloseReason { code: awc::ws::CloseCode::Other(4321), description: None };
    polite.sends(awc::ws::Message::Close(Some(close))).await;
    world.until_closed("nakama", "client", 1).await;
    assert_eq!(world.counted("hereabouts_closed_total{dialect=\"nakama\",code=\"4321\"}").await, 0, "a client's code");
    let mut early = world.dials("").await;
    early.says(&json!({"id": 1, "subscribe": {"channel": "status:a"}}).to_string()).await;
    early.hears_close().await;
    world.until_closed("centrifugo", "3501", 1).await;
}

#[actix_web::test]
async fn connections_that_do_not_authenticate_are_bounded() {
    let world = World::with(|config| {
        config.limits.unauthenticated_connections = 2;
        // Does not hold on loopback.
        config.limits.unauthenticated_connections_per_address = 1;
    });
    let mut first = world.dials("").await;
    let second = Device::connects(&world, "ian").await;
    for (path, dialect) in [("/connection/websocket", "centrifugo"), ("/im", "tencent")] {
        let client = awc::Client::builder().max_http_version(actix_web::http::Version::HTTP_11).finish();
        let refused = client.ws(world.server.url(path)).connect().await.map(|_| ()).unwrap_err();
        assert!(format!("{refused:?}").contains("503"), "{path}: {refused:?}");
        assert_eq!(world.refused(dialect, "pending_limit").await, 1);
    }
    let token = crate::centrifugo::client::token(&json!({"sub": "carl"}));
    assert!(first.asks("connect", json!({"token": token})).await["connect"].is_object());
    let third = world.dials("").await;
    drop((second, third));
    world.until_connections(1).await;
    world.centrifugo("bob").await;
    world.hidden("known by its request").await;
}
