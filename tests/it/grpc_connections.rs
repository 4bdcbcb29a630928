//! Connections to the gRPC port that do nothing, or too much.

use std::time::Duration;

use hereabouts::app::{App, Components};
use hereabouts::clock::Clock;
use hereabouts::config::Config;
use hereabouts::config::value::Period;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::raw_http::RawHttp;
use crate::world::{PATIENCE, config};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;

struct GrpcPort {
    address: std::net::SocketAddr,
    components: Components,
    stop: oneshot::Sender<()>,
    running: actix_web::rt::task::JoinHandle<anyhow::Result<()>>,
}

impl GrpcPort {
    async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config();
        config.server.address = "127.0.0.1:0".parse().unwrap();
        config.server.workers = 1;
        config.grpc_api.enabled = true;
        config.grpc_api.address = "127.0.0.1:0".parse().unwrap();
        change(&mut config);
        let app = App::build(&config, &Clock::system()).await.unwrap();
        let (address, components) = (app.grpc_address().unwrap(), app.components().clone());
        let (stop, stopped) = oneshot::channel::<()>();
        let running = actix_web::rt::spawn(app.run(async {
            stopped.await.ok();
        }));
        Self { address, components, stop, running }
    }

    async fn connect(&self) -> RawHttp {
        RawHttp::connect(self.address).await
    }

    /// A client after its handshake.
    async fn shake_hands(&self) -> RawHttp {
        let mut client = self.connect().await;
        client.sends([PREFACE, &frame(SETTINGS, 0, 0, b"")].concat()).await;
        client
    }

    async fn stops(self) {
        self.stop.send(()).unwrap();
        timeout(PATIENCE, self.running).await.expect("the drain goes on").unwrap().unwrap();
    }
}

fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0, 0, u8::try_from(payload.len()).unwrap(), kind, flags, 0, 0, 0, stream];
    frame.extend(payload);
    frame
}

/// The call `Watch` of the health service, which stays open, with headers that are not compressed.
fn watch_health() -> Vec<u8> {
    let mut headers = Vec::new();
    let fields = [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/grpc.health.v1.Health/Watch"),
        (":authority", "here"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    for (name, value) in fields {
        headers.push(0);
        for text in [name, value] {
            headers.push(u8::try_from(text.len()).unwrap());
            headers.extend(text.as_bytes());
        }
    }
    // END_HEADERS; an empty message with END_STREAM.
    [frame(HEADERS, 4, 1, &headers), frame(0, 1, 1, &[0; 5])].concat()
}

/// The types of all frames, and the error of the last GOAWAY.
fn frames(mut bytes: &[u8]) -> (Vec<u8>, Option<u8>) {
    let (mut kinds, mut error) = (Vec::new(), None);
    while let [high, middle, low, kind, _, _, _, _, _, rest @ ..] = bytes {
        let length = usize::try_from(u32::from_be_bytes([0, *high, *middle, *low])).unwrap();
        kinds.push(*kind);
        if *kind == GOAWAY {
            error = rest[..length].get(7).copied();
        }
        bytes = &rest[length..];
    }
    (kinds, error)
}

#[actix_web::test]
async fn a_handshake_and_a_frame_that_never_end_are_closed() {
    let port = GrpcPort::start(|config| config.server.request_timeout = Period(Duration::from_millis(300))).await;
    port.connect().await.hears_to_the_end().await;
    let mut client = port.connect().await;
    client.sends(PREFACE).await;
    client.hears_to_the_end().await;
    for unfinished in [&frame(PING, 0, 0, &[0; 8])[..5], &frame(HEADERS, 0, 1, b"")] {
        let mut client = port.shake_hands().await;
        client.sends(unfinished).await;
        client.hears_to_the_end().await;
    }
    assert_eq!(port.components.metrics.api().grpc_timed_out.get(), 4);
    port.stops().await;
}

#[actix_web::test]
async fn a_connection_without_calls_is_closed_with_a_reason_and_one_with_a_call_is_kept() {
    let port = GrpcPort::start(|config| config.server.keep_alive = Period(Duration::from_millis(300))).await;
    let mut calling = port.shake_hands().await;
    calling.sends(watch_health()).await;
    let mut idle = port.shake_hands().await;
    let (kinds, error) = frames(&idle.hears_to_the_end().await);
    assert_eq!((kinds.last(), error), (Some(&GOAWAY), Some(0)));
    assert_eq!(port.components.metrics.api().grpc_timed_out.get(), 1, "the older connection has a call");
    drop(calling);
    port.stops().await;
}

#[actix_web::test]
async fn a_flood_of_pings_or_settings_closes_the_connection() {
    let port = GrpcPort::start(|_| {}).await;
    for flood in [frame(PING, 0, 0, &[0; 8]), frame(SETTINGS, 0, 0, b"")] {
        let mut client = port.shake_hands().await;
        client.sends_to_the_end(&flood.repeat(100)).await;
    }
    assert_eq!(port.components.metrics.api().grpc_floods.get(), 2);
    port.stops().await;
}

#[actix_web::test]
async fn a_drain_does_not_wait_for_connections_without_calls() {
    let port = GrpcPort::start(|config| config.server.drain_timeout = Period(Duration::from_secs(3600))).await;
    let silent = port.connect().await;
    let mut idle = port.shake_hands().await;
    // The server reads both before it stops.
    let mut probe = port.shake_hands().await;
    probe.sends(frame(PING, 0, 0, &[0; 8])).await;
    port.stops().await;
    idle.hears_to_the_end().await;
    drop(silent);
}

#[actix_web::test]
async fn a_drain_cuts_a_call_that_never_ends() {
    let port = GrpcPort::start(|config| config.server.drain_timeout = Period(Duration::from_millis(500))).await;
    let mut client = port.shake_hands().await;
    client.sends(watch_health()).await;
    port.stops().await;
    client.hears_to_the_end().await;
}
