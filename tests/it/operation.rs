//! What operators see, and how a server ends.

use std::collections::HashMap;

use futures_util::future::join_all;
use hereabouts::app::App;
use hereabouts::clock::Clock;
use tokio::sync::oneshot;

use crate::world::{World, config};

#[actix_web::test]
async fn the_metrics_count_what_happens() {
    let world = World::start();
    let mut alice = world.hidden("alice").await;
    let mut bob = world.online("bob").await;
    alice.follows(&[&bob]).await;
    bob.sets(Some("x")).await;
    alice.sees().await;
    alice.says(r#"{"rpc":{}}"#).await;
    alice.hears().await;
    let mut response = world.server.get("/metrics").send().await.unwrap();
    assert!(
        response.headers().get("content-type").unwrap().to_str().unwrap().starts_with("application/openmetrics-text")
    );
    let text = String::from_utf8(response.body().await.unwrap().to_vec()).unwrap();
    let found: HashMap<&str, &str> = text.lines().filter_map(|line| line.rsplit_once(' ')).collect();
    for (name, value) in [
        ("hereabouts_connections{dialect=\"nakama\"}", "2"),
        ("hereabouts_users", "2"),
        ("hereabouts_diffs_total", "2"),
        ("hereabouts_commands_total{dialect=\"nakama\"}", "3"),
        ("hereabouts_refused_total{dialect=\"nakama\",reason=\"message\"}", "1"),
        ("hereabouts_deliveries_total{dialect=\"nakama\"}", "3"),
        ("hereabouts_folds_total{dialect=\"nakama\"}", "0"),
    ] {
        assert_eq!(found.get(name), Some(&value), "{name} in\n{text}");
    }
    for line in text.lines().filter(|line| line.starts_with("# TYPE")) {
        let name = line.split(' ').nth(2).unwrap();
        assert!(text.contains(&format!("# HELP {name} ")), "{name} has no help");
    }
}

#[actix_web::test]
async fn health_and_readiness_are_told_apart() {
    // The app itself says that it is ready as soon as it runs.
    let world = World::on_actix_test_server();
    assert_eq!(world.server.get("/health").send().await.unwrap().status(), 200);
    assert_eq!(world.server.get("/ready").send().await.unwrap().status(), 503, "not told to serve yet");
    world.components.endpoints.readiness.set(true);
    assert_eq!(world.server.get("/ready").send().await.unwrap().status(), 200);
}

#[actix_web::test]
async fn the_page_is_served_with_its_type_and_only_what_is_there() {
    let world = World::start();
    for (path, kind) in [("/", "text/html"), ("/page.js", "text/javascript"), ("/style.css", "text/css")] {
        let mut response = world.server.get(path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        assert!(response.headers().get("content-type").unwrap().to_str().unwrap().starts_with(kind), "{path}");
        assert!(!response.body().await.unwrap().is_empty(), "{path}");
        let tag = response.headers().get("etag").unwrap().clone();
        let again = world.server.get(path).insert_header(("If-None-Match", tag)).send().await.unwrap();
        assert_eq!(again.status(), 304, "{path}");
    }
    for path in ["/nothing.js", "/../Cargo.toml", "/%2e%2e/Cargo.toml", "/static/page.js"] {
        assert_eq!(world.server.get(path).send().await.unwrap().status(), 404, "{path}");
    }
    let without = World::with(|config| config.operation.page = false);
    let mut response = without.server.get("/").send().await.unwrap();
    assert_eq!((response.status().as_u16(), response.body().await.unwrap().len()), (200, 0));
    assert_eq!(without.server.get("/page.js").send().await.unwrap().status(), 404);
}

#[actix_web::test]
async fn a_drain_closes_every_socket_with_a_reason_and_ends_in_good_order() {
    let world = World::start();
    let mut config = config();
    config.server.address = "127.0.0.1:0".parse().unwrap();
    let app = App::build(&config, &Clock::system()).await.unwrap();
    let address = app.addresses()[0];
    let (stop, stopped) = oneshot::channel::<()>();
    let running = actix_web::rt::spawn(app.run(async {
        stopped.await.ok();
    }));
    let client = awc::Client::builder().max_http_version(actix_web::http::Version::HTTP_11).finish();
    let people = join_all((0..50).map(|number| {
        let token = world.token(&format!("person-{number}"));
        let opening = client.ws(format!("http://{address}/ws?token={token}&status=true")).connect();
        async move { opening.await.unwrap().1 }
    }))
    .await;
    stop.send(()).unwrap();
    for mut socket in people {
        let close = loop {
            match futures_util::StreamExt::next(&mut socket).await {
                Some(Ok(awc::ws::Frame::Close(reason))) => break reason.unwrap(),
                Some(Ok(_)) => {}
                other => panic!("no close: {other:?}"),
            }
        };
        assert_eq!((u16::from(close.code), close.description.as_deref()), (1000, Some("server shutting down")));
        futures_util::SinkExt::send(&mut socket, awc::ws::Message::Close(Some(close))).await.ok();
    }
    running.await.unwrap().unwrap();
    assert!(client.get(format!("http://{address}/health")).send().await.is_err(), "it still listens");
}

#[actix_web::test]
async fn a_drain_refuses_new_connections_at_once() {
    let world = World::start();
    let mut config = config();
    config.server.address = "127.0.0.1:0".parse().unwrap();
    let app = App::build(&config, &Clock::system()).await.unwrap();
    let address = app.addresses()[0];
    let (stop, stopped) = oneshot::channel::<()>();
    let running = actix_web::rt::spawn(app.run(async {
        stopped.await.ok();
    }));
    let client = awc::Client::builder().max_http_version(actix_web::http::Version::HTTP_11).finish();
    let opening = client.ws(format!("http://{address}/ws?token={}&status=true", world.token("alice"))).connect();
    let mut socket = opening.await.unwrap().1;
    stop.send(()).unwrap();
    while !matches!(futures_util::StreamExt::next(&mut socket).await, Some(Ok(awc::ws::Frame::Close(_)))) {}
    // The drain waits for the answer to its close.
    let refused = std::net::TcpStream::connect(address).expect_err("somebody listens");
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    futures_util::SinkExt::send(&mut socket, awc::ws::Message::Close(None)).await.ok();
    running.await.unwrap().unwrap();
}
