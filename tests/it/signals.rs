//! The built binary and the signals of the operating system.

use crate::binary::Server;
use crate::raw::RawClient;
use crate::raw_http::RawHttp;

#[actix_web::test]
async fn other_signals_than_those_that_stop_do_not_stop() {
    let server = Server::start(&[]);
    for (signal, line) in [("HUP", "reload not yet"), ("QUIT", "ignored"), ("USR1", "ignored"), ("USR2", "ignored")] {
        server.signal(signal);
        server.logs(&[&format!("SIG{signal}"), line]);
    }
    let mut client = RawHttp::connect(server.address).await;
    client.sends_head("GET /health", "").await;
    assert_eq!(client.hears().await.unwrap().status, 200);
    assert_eq!(server.stop().0, Some(0));
}

#[actix_web::test]
async fn a_second_signal_stops_at_once_with_exit_code_1() {
    for signal in ["TERM", "INT"] {
        let server =
            Server::start(&[("HEREABOUTS_SERVER__DRAIN_TIMEOUT", "1h"), ("HEREABOUTS_SESSION__CLOSE_TIMEOUT", "1h")]);
        // Never answers the close of the drain.
        let _alice = RawClient::connect(server.address, &format!("token={}", Server::token("alice"))).await;
        server.signal("TERM");
        server.logs(&["draining"]);
        server.signal(signal);
        assert_eq!(server.ended(), Some(1), "{signal}");
    }
}

#[actix_web::test]
async fn a_stop_ends_whatever_is_connected() {
    let server = Server::start(&[
        ("HEREABOUTS_GRPC_API__ENABLED", "true"),
        ("HEREABOUTS_GRPC_API__ADDRESS", "127.0.0.1:0"),
        ("HEREABOUTS_SERVER__DRAIN_TIMEOUT", "1s"),
        ("HEREABOUTS_SESSION__CLOSE_TIMEOUT", "1h"),
    ]);
    let grpc = server.grpc_address();
    let silent = [RawHttp::connect(grpc).await, RawHttp::connect(server.address).await];
    let mut slow = RawHttp::connect(server.address).await;
    slow.sends("GET /health HTTP/1.1\r\n").await;
    let alice = RawClient::connect(server.address, &format!("token={}", Server::token("alice"))).await;
    server.signal("TERM");
    assert_eq!(server.ended(), Some(0));
    drop((silent, slow, alice));
}
