//! Which address of a client the server tells, with and without proxies.

use std::net::SocketAddr;

use hereabouts::clock::Clock;
use hereabouts::config::ClientAddressSource;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Receiver;
use crate::world::{World, user};

/// A PROXY header of version 2: `192.0.2.7:4711` connects to `10.0.0.1:80`.
const PROXY_HEADER: &[u8] = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x07\x0a\x00\x00\x01\x12\x67\x00\x50";

/// Sends a handshake and returns the status line of the response, with the connection.
async fn opens(address: SocketAddr, before: &[u8], headers: &str, token: &str) -> (String, TcpStream) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "GET /ws?token={token} HTTP/1.1\r\nHost: here\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    );
    stream.write_all(&[before, request.as_bytes()].concat()).await.unwrap();
    let mut answer = Vec::new();
    while !answer.windows(2).any(|end| end == b"\r\n") && stream.read_buf(&mut answer).await.unwrap_or(0) > 0 {}
    (String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned(), stream)
}

/// A server behind proxies on loopback, with keys of its own.
fn behind_proxy(receiver: &Receiver, source: ClientAddressSource) -> World {
    let mut config = receiver.config(0);
    config.server.client_address = source;
    config.server.trusted_proxies = serde_json::from_str(r#"["127.0.0.0/8"]"#).unwrap();
    let own = || hereabouts::config::value::Secret::new("a key of this test, which is long enough");
    config.nakama.server_key = own();
    config.nakama.encryption_key = own();
    config.nakama.refresh_encryption_key = own();
    config.centrifugo.client.token.hmac_secret_key = None;
    config.tencent.secret_key = None;
    World::of(config, Clock::system(), None)
}

async fn told_address(receiver: &mut Receiver) -> Value {
    let (kind, mut data) = receiver.hears().await;
    assert_eq!((kind.as_str(), &data["user"]), ("user.login", &json!(user("nora").to_string())));
    data["client_ip"].take()
}

#[actix_web::test]
async fn a_trusted_proxy_names_the_client() {
    let mut receiver = Receiver::start();
    let world = behind_proxy(&receiver, ClientAddressSource::Forwarded);
    let (address, token) = (world.server.address(), world.token("nora"));
    for headers in [
        "X-Forwarded-For: 198.51.100.1, 192.0.2.7\r\n",
        "Forwarded: for=198.51.100.1, for=\"192.0.2.7:4711\"\r\n",
        "X-Forwarded-For: ::ffff:192.0.2.7\r\nX-Forwarded-For: 127.0.0.9\r\n",
    ] {
        let (status, open) = opens(address, b"", headers, &token).await;
        assert_eq!(status, "HTTP/1.1 101 Switching Protocols", "{headers}");
        assert_eq!(told_address(&mut receiver).await, "192.0.2.7", "{headers}");
        drop(open);
        receiver.hears().await;
    }
    let (status, _) =
        opens(address, b"", "Forwarded: for=198.51.100.1\r\nX-Forwarded-For: 192.0.2.7\r\n", &token).await;
    assert_eq!(status, "HTTP/1.1 400 Bad Request");
    receiver.stop().await;
}

#[actix_web::test]
async fn the_proxy_protocol_names_the_client_and_nothing_else_is_served() {
    let mut receiver = Receiver::start();
    let world = behind_proxy(&receiver, ClientAddressSource::ProxyProtocol);
    let (address, token) = (world.server.address(), world.token("nora"));
    let (status, open) = opens(address, PROXY_HEADER, "X-Forwarded-For: 198.51.100.1\r\n", &token).await;
    assert_eq!(status, "HTTP/1.1 101 Switching Protocols");
    assert_eq!(told_address(&mut receiver).await, "192.0.2.7");
    drop(open);
    let (status, _) = opens(address, b"", "", &token).await;
    assert_eq!(status, "", "a connection without the header");
    receiver.stop().await;
}

#[actix_web::test]
async fn development_keys_are_not_served_through_a_proxy() {
    let world = World::start();
    let (address, token) = (world.server.address(), world.token("nora"));
    let (status, _) = opens(address, b"", "X-Forwarded-For: 192.0.2.7\r\n", &token).await;
    assert_eq!(status, "HTTP/1.1 403 Forbidden");
    let (status, _) = opens(address, b"", "", &token).await;
    assert_eq!(status, "HTTP/1.1 101 Switching Protocols");
    let mut refused = world.server.get("/v2/account").insert_header(("Via", "1.1 proxy")).send().await.unwrap();
    let text = String::from_utf8(refused.body().await.unwrap().to_vec()).unwrap();
    assert!(refused.status() == 403 && text.contains("nakama.server_key"), "{text}");
}
