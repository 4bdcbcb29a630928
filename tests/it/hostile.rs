//! Clients that mean harm, or are broken, on the built binary.

use actix_web::rt::time::timeout;
use serde_json::json;

use crate::binary::Server;
use crate::raw::RawClient;
use crate::world::PATIENCE;

const MIB: u64 = 1024 * 1024;

async fn connect(server: &Server, name: &str) -> RawClient {
    RawClient::connect(server.address, &format!("token={}", Server::token(name))).await
}

async fn closes(client: &mut RawClient) -> Option<(u16, String)> {
    timeout(PATIENCE, client.hears_close()).await.unwrap()
}

#[actix_web::test]
async fn a_flood_of_pongs_fills_no_memory() {
    // Without a budget of work, which would slow the flood down.
    let server = Server::start(&[("HEREABOUTS_LIMITS__WORK", "0")]);
    let mut mallory = connect(&server, "mallory").await;
    let before = server.memory();
    let mut pongs = Vec::new();
    while pongs.len() < 65_536 {
        pongs.extend([0x8a, 0xfd, 0, 0, 0, 0]);
        pongs.extend([b'x'; 125]);
    }
    for _ in 0..1_000 {
        mallory.sends(&pongs).await;
        assert!(server.memory() < before + 16 * MIB, "{} MiB resident", server.memory() / MIB);
    }
    mallory.says(&json!({"cid": "1", "ping": {}})).await;
    assert_eq!(mallory.hears().await.unwrap(), json!({"cid": "1", "pong": {}}));
}

#[actix_web::test]
async fn a_frame_that_announces_a_terabyte_is_refused_at_its_header() {
    let server = Server::start(&[]);
    let mut mallory = connect(&server, "mallory").await;
    mallory.sends(&[0x82, 0xff, 0, 0, 1, 0, 0, 0, 0, 0]).await;
    assert_eq!(closes(&mut mallory).await, Some((1009, String::new())));
}

#[actix_web::test]
async fn a_broken_frame_is_refused_once_and_closes_with_1002() {
    let server = Server::start(&[]);
    // Not masked; reserved bits, as in a compressed frame; an unknown opcode; a continuation of nothing.
    for (count, broken) in
        [[0x81, 0, 0, 0, 0, 0], [0xc1, 0x80, 0, 0, 0, 0], [0x83, 0x80, 0, 0, 0, 0], [0x80, 0x80, 0, 0, 0, 0]]
            .iter()
            .enumerate()
    {
        let mut mallory = connect(&server, "mallory").await;
        mallory.sends(broken).await;
        assert_eq!(closes(&mut mallory).await.unwrap().0, 1002, "{broken:?}");
        // The line is kept until the client has answered the close, or has had its time to.
        timeout(PATIENCE, mallory.hears_to_the_end()).await.unwrap();
        assert_eq!(server.metric("hereabouts_refused_total").await, i64::try_from(count).unwrap() + 1);
    }
}

#[actix_web::test]
async fn nothing_follows_the_close_frame() {
    let server = Server::start(&[]);
    let mut mallory = connect(&server, "mallory").await;
    mallory.says(&json!({"cid": "1", "status_follow": {"usernames": ["nobody"]}})).await;
    // Text, masked with zeros: `{`.
    mallory.sends(&[0x81, 0x81, 0, 0, 0, 0, b'{']).await;
    let opcodes = timeout(PATIENCE, mallory.hears_to_the_end()).await.unwrap();
    assert_eq!(opcodes.last(), Some(&8), "{opcodes:?}");
    assert_eq!(opcodes.iter().filter(|&&opcode| opcode == 8).count(), 1, "{opcodes:?}");
}
