//! What the built binary still knows of accounts after it was stopped or killed.

use super::*;
use crate::binary::{Server, run};

/// A connection to a server of its own process.
async fn logs_in(server: &Server, name: &str) -> Device {
    let client = awc::Client::builder().max_http_version(actix_web::http::Version::HTTP_11).finish();
    let (_, socket) = client.ws(format!("http://{}/im", server.address)).connect().await.unwrap();
    let mut device = Device { person: Person::on(name, socket), requests: 0, news: VecDeque::new() };
    let output = run(&["user-sig", name], &[]);
    let user_sig = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    device.calls("login", json!({"SDKAppID": APP, "userID": name, "userSig": user_sig})).await;
    device
}

async fn is_kept(stop: impl Fn(Server) -> tempfile::TempDir) {
    let server = Server::start(&[]);
    let mut alice = logs_in(&server, "alice").await;
    let mut carol = logs_in(&server, "carol").await;
    logs_in(&server, "left").await.logs_out().await;
    alice.subscribes(&["bob", "carol", "left"]).await;
    alice.unsubscribes(&["bob"]).await;
    carol.sets("lost with the process").await;
    assert_eq!(alice.hears().await, status("carol", 1, "lost with the process"));
    let folder = stop(server);
    // A server that stops in good order may have told of the one before it closed the other.
    let mut told = alice.hears_to_the_end().await;
    drop(carol);
    let server = Server::start_in(folder, &[]);
    let mut alice = logs_in(&server, "alice").await;
    if !told.contains(&status("carol", 2, "")) {
        told.push(alice.hears().await);
    }
    told.extend(alice.news.drain(..));
    assert!(told.contains(&status("carol", 2, "")), "{told:?}");
    let last_seen = alice.queries(&["carol", "left", "nobody"]).await;
    assert_eq!(last_seen, [status("carol", 2, ""), status("left", 3, ""), status("nobody", 3, "")]);
    let mut bob = logs_in(&server, "bob").await;
    let mut carol = logs_in(&server, "carol").await;
    assert_eq!(alice.hears().await, status("carol", 1, ""), "live without a call");
    bob.sets("not subscribed to any more").await;
    carol.sets("back").await;
    assert_eq!(alice.hears().await, status("carol", 1, "back"));
    drop((alice, bob, carol));
    assert_eq!(server.stop(), (Some(0), vec![]));
}

#[actix_web::test]
async fn a_killed_server_keeps_every_acknowledged_subscription_and_who_was_lost_and_who_left() {
    is_kept(Server::crash).await;
}

#[actix_web::test]
async fn so_does_one_that_was_stopped_in_good_order() {
    is_kept(Server::stop_and_leave).await;
}

#[actix_web::test]
async fn of_many_subscriptions_none_that_was_acknowledged_is_lost_by_a_kill() {
    let server =
        Server::start(&[("HEREABOUTS_TENCENT__CALLS", "10000"), ("HEREABOUTS_TENCENT__SUBSCRIPTIONS", "10000")]);
    let mut alice = logs_in(&server, "alice").await;
    for number in 0..100 {
        alice.subscribes(&[&format!("user-{number}")]).await;
    }
    let folder = server.crash();
    drop(alice);
    let server = Server::start_in(folder, &[("HEREABOUTS_TENCENT__CALLS", "10000")]);
    let mut alice = logs_in(&server, "alice").await;
    // What they were told is not known after a kill: all are told again, in one notification.
    alice.hears().await;
    assert_eq!(alice.news.len(), 99);
}
