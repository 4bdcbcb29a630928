//! One conversation of each protocol on actix's test server, in place of the app's own listener.

use serde_json::json;

use crate::tencent::{Device, status};
use crate::world::{World, change, shown};

#[actix_web::test]
async fn nakama_clients_follow_each_other() {
    let world = World::on_actix_test_server();
    let mut alice = world.hidden("alice").await;
    let mut bob = world.online("bob").await;
    assert_eq!(shown(&alice.follows(&[&bob]).await["status"]["presences"]), ["bob:"]);
    bob.sets(Some("away")).await;
    assert_eq!(alice.sees().await, change(&["bob:away"], &["bob:"]));
    drop(bob);
    assert_eq!(alice.sees().await, change(&[], &["bob:away"]));
}

#[actix_web::test]
async fn a_centrifugo_client_subscribes_to_a_user() {
    let world = World::on_actix_test_server();
    let mut alice = world.centrifugo("alice").await;
    let mut bob = world.centrifugo("bob").await;
    let snapshot = alice.subscribes("status:bob").await;
    assert_eq!((&snapshot["online"], &snapshot["statuses"]), (&json!(true), &json!([""])), "{snapshot}");
    assert_eq!(bob.updates(json!({"state": "away"})).await["rpc"], json!({}));
    let publication = alice.sees("status:bob").await;
    assert_eq!((&publication["user"], &publication["state"]), (&json!("bob"), &json!("away")), "{publication}");
    drop(bob);
    assert_eq!(alice.sees("status:bob").await["online"], false);
}

#[actix_web::test]
async fn a_tencent_user_subscribes_to_another() {
    let world = World::on_actix_test_server();
    let mut alice = Device::logs_in(&world, "alice").await;
    let mut bob = Device::logs_in(&world, "bob").await;
    assert_eq!(alice.subscribes(&["bob"]).await, [status("bob", 1, "")]);
    bob.sets("away").await;
    assert_eq!(alice.hears().await, status("bob", 1, "away"));
    bob.logs_out().await;
    assert_eq!(alice.hears().await, status("bob", 3, ""));
}
