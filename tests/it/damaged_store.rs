//! A data folder that lost records, or that is open to other users of the machine.

use std::fs::{OpenOptions, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use actix_web::http::header::AUTHORIZATION;
use serde_json::json;
use tempfile::TempDir;

use crate::binary::{Server, run_in};
use crate::world::PATIENCE;

/// Logs in with a custom id, and returns the status.
async fn authenticates(server: &Server, id: &str, create: bool) -> u16 {
    let client = awc::Client::builder().timeout(PATIENCE).finish();
    let path = format!("http://{}/v2/account/authenticate/custom?create={create}", server.address);
    let request = client.post(path).insert_header((AUTHORIZATION, "Basic ZGVmYXVsdGtleTo="));
    request.send_json(&json!({ "id": id })).await.unwrap().status().as_u16()
}

async fn killed_after_sign_ups() -> TempDir {
    let server = Server::start(&[]);
    for id in ["custom-1", "custom-2", "custom-3"] {
        assert_eq!(authenticates(&server, id, true).await, 200);
    }
    server.crash()
}

/// Returns the only journal.
fn journal(folder: &TempDir) -> PathBuf {
    folder.path().join("data").join("0.jnl")
}

/// The start is refused with one line that names the loss and the way on; with that the server starts, and again.
async fn is_refused_until_the_loss_is_accepted(folder: TempDir, loss: &str) {
    for _ in 0..2 {
        let output = run_in(folder.path(), &["--address", "127.0.0.1:0"]);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        let mut errors = stderr.lines().filter(|line| line.contains(" ERROR "));
        let error = errors.next().unwrap();
        assert!(error.contains(loss) && error.contains("start once with --accept-loss"), "{error}");
        assert_eq!(errors.next(), None);
    }
    let server = Server::start_after_loss(folder);
    assert_eq!(authenticates(&server, "custom-1", true).await, 200);
    let server = Server::start_in(server.crash(), &[]);
    assert_eq!(authenticates(&server, "custom-1", false).await, 200);
    assert_eq!(server.stop(), (Some(0), vec![]));
}

#[actix_web::test]
async fn a_deleted_journal_is_noticed() {
    let folder = killed_after_sign_ups().await;
    std::fs::remove_file(journal(&folder)).unwrap();
    is_refused_until_the_loss_is_accepted(folder, "the journal 0.jnl is missing").await;
}

#[actix_web::test]
async fn a_truncated_journal_is_noticed() {
    let folder = killed_after_sign_ups().await;
    OpenOptions::new().write(true).open(journal(&folder)).unwrap().set_len(200).unwrap();
    is_refused_until_the_loss_is_accepted(folder, "the journal 0.jnl has 200 bytes, and had at least").await;
}

#[actix_web::test]
async fn a_journal_with_its_end_overwritten_is_noticed() {
    let folder = killed_after_sign_ups().await;
    let path = journal(&folder);
    let content = std::fs::read(&path).unwrap();
    let used = content.iter().rposition(|&byte| byte != 0).unwrap();
    let damaged: Vec<u8> = content.iter().enumerate().map(|(at, &byte)| if at > used / 2 { 0 } else { byte }).collect();
    std::fs::write(&path, damaged).unwrap();
    is_refused_until_the_loss_is_accepted(folder, "the database has").await;
}

#[actix_web::test]
async fn a_missing_marker_is_noticed_and_a_killed_server_is_no_loss() {
    let folder = killed_after_sign_ups().await;
    for _ in 0..3 {
        let folder = Server::start_in(killed_after_sign_ups().await, &[]).crash();
        assert_eq!(Server::start_in(folder, &[]).stop(), (Some(0), vec![]));
    }
    std::fs::remove_file(folder.path().join("data").join("commits")).unwrap();
    is_refused_until_the_loss_is_accepted(folder, "the file commits is missing").await;
}

fn modes(folder: &Path) -> Vec<(PathBuf, u32)> {
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let mut found = vec![(folder.to_owned(), mode(folder))];
    for entry in folder.read_dir().unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(modes(&path));
        } else {
            found.push((path.clone(), mode(&path)));
        }
    }
    found
}

#[actix_web::test]
async fn other_users_of_the_machine_read_nothing_of_the_data() {
    let is_closed = |(path, mode): &(PathBuf, u32)| *mode == if path.is_dir() { 0o700 } else { 0o600 };
    let folder = killed_after_sign_ups().await;
    let data = folder.path().join("data");
    let found = modes(&data);
    assert!(found.len() > 5 && found.iter().all(is_closed), "{found:?}");
    for (path, mode) in found {
        std::fs::set_permissions(path, Permissions::from_mode(mode | 0o055)).unwrap();
    }
    let _server = Server::start_in(folder, &[]);
    let found = modes(&data);
    assert!(found.iter().all(is_closed), "{found:?}");
}
