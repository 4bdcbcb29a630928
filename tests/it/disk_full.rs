//! A full disk, on a real file system that is full.

use std::fs::File;
use std::io::{ErrorKind, Write};

use actix_web::http::header::AUTHORIZATION;
use serde_json::json;

use crate::binary::Server;
use crate::world::PATIENCE;

async fn status(server: &Server, path: &str) -> u16 {
    let client = awc::Client::builder().timeout(PATIENCE).finish();
    client.get(format!("http://{}{path}", server.address)).send().await.unwrap().status().as_u16()
}

/// Signs up or logs in with a custom id, and returns the status.
async fn authenticates(server: &Server, id: &str, create: bool) -> u16 {
    let client = awc::Client::builder().timeout(PATIENCE).finish();
    let path = format!("http://{}/v2/account/authenticate/custom?create={create}", server.address);
    let request = client.post(path).insert_header((AUTHORIZATION, "Basic ZGVmYXVsdGtleTo="));
    request.send_json(&json!({ "id": id })).await.unwrap().status().as_u16()
}

/// Fills the disk to its last byte with a file, which it returns.
fn fill_disk(server: &Server) -> std::path::PathBuf {
    let path = server.data().join("balloon");
    let mut balloon = File::create(&path).unwrap();
    for size in [1 << 20, 4096, 1] {
        loop {
            match balloon.write(&vec![0; size]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::StorageFull => break,
                Err(error) => panic!("{error}"),
            }
        }
    }
    path
}

#[actix_web::test]
async fn after_a_full_disk_writes_go_on_without_a_restart_and_nothing_acknowledged_is_lost() {
    let server = Server::start_on_small_disk(24, &[]);
    assert_eq!(authenticates(&server, "custom-before", true).await, 200);
    for round in 0..2 {
        let balloon = fill_disk(&server);
        let mut acknowledged = Vec::new();
        let mut refused = Vec::new();
        // The journal has some room on pages that it has begun.
        while refused.len() < 3 {
            let id = format!("custom-{round}-{}", acknowledged.len() + refused.len());
            match authenticates(&server, &id, true).await {
                200 => acknowledged.push(id),
                503 => refused.push(id),
                status => panic!("{status}"),
            }
        }
        server.logs(&["the store cannot write"]);
        assert_eq!(status(&server, "/ready").await, 503);
        assert_eq!(server.metric("hereabouts_store_writable").await, 0);
        assert_eq!(authenticates(&server, "custom-before", false).await, 200, "reads go on");
        std::fs::remove_file(balloon).unwrap();
        server.logs(&["the store can write again"]);
        assert_eq!(status(&server, "/ready").await, 200);
        assert_eq!(server.metric("hereabouts_store_writable").await, 1);
        assert_eq!(server.metric("hereabouts_store_failures_total").await, round + 1);
        for id in acknowledged.iter().map(String::as_str).chain(["custom-before"]) {
            assert_eq!(authenticates(&server, id, false).await, 200, "{id} was acknowledged");
        }
        for id in refused {
            assert_eq!(authenticates(&server, &id, true).await, 200, "{id} tries again");
        }
    }
}
