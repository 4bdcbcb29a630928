//! The server API on people who are connected.

use hereabouts::config::value::Secret;
use serde_json::{Value, json};

use crate::world::{PATIENCE, World, user};

const KEY: &str = "secret";

fn world() -> World {
    World::with(|config| config.http_api.key = Some(Secret::new(KEY)))
}

/// The result of a call.
async fn asks(world: &World, method: &str, body: Value) -> Value {
    let request = world.server.post(&format!("/api/{method}")).insert_header(("X-API-Key", KEY));
    let mut response = request.send_json(&body).await.unwrap();
    assert_eq!(response.status(), 200);
    let answer: Value = response.json().limit(1 << 20).await.unwrap();
    assert!(answer.get("error").is_none(), "{answer}");
    answer["result"].clone()
}

async fn presence(world: &World, name: &str) -> Value {
    asks(world, "get_presence", json!({"users": [name]})).await["users"][0].clone()
}

/// Waits until the presence is as wanted.
async fn until(world: &World, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut found = Value::Null;
    let arrived = actix_web::rt::time::timeout(PATIENCE, async {
        loop {
            found = presence(world, name).await;
            if wanted(&found) {
                return;
            }
        }
    })
    .await;
    assert!(arrived.is_ok(), "{found}");
    found
}

fn is_recent(time: &Value) -> bool {
    time.as_u64().is_some_and(|time| time > 1_750_000_000)
}

#[actix_web::test]
async fn everything_about_somebody_who_is_here_and_was_here() {
    let world = world();
    let mut bob = world.online("bob").await;
    let mut phone = world.connects("bob", "status=true").await;
    phone.hears().await;
    bob.sets(Some("away")).await;
    let mut found = until(&world, "bob", |found| found.to_string().contains("away")).await;
    assert!(is_recent(&found["last_online"].take()), "{found}");
    let connections = found["connections"].take();
    assert_eq!(
        found,
        json!({"user": "bob", "online": true, "general": "online", "connections": null, "last_online": null})
    );
    let shown: Vec<Value> = connections.as_array().unwrap().iter().map(|one| one["status"].clone()).collect();
    assert_eq!(shown, [json!(""), json!("away")], "the one that changed last is at the end");
    for one in connections.as_array().unwrap() {
        assert_eq!((&one["user"], &one["username"]), (&json!("bob"), &json!("bob")), "{one}");
        assert_eq!((&one["dialect"], &one["visible"]), (&json!("nakama"), &json!(true)), "{one}");
    }
    let by_uuid = presence(&world, &user("bob").to_string()).await;
    assert_eq!(by_uuid["online"], true, "the same user by its UUID");
    drop((bob, phone));
    let found = until(&world, "bob", |found| found["online"] == false).await;
    assert!(is_recent(&found["last_online"]), "{found}");
    assert_eq!((&found["general"], &found["connections"]), (&json!("offline"), &json!([])));
    let status = asks(&world, "get_user_status", json!({"users": ["bob", "nobody"]})).await;
    assert!(is_recent(&status["statuses"][0]["online"]), "{status}");
    assert_eq!(status["statuses"][1], json!({"user": "nobody"}));
}

#[actix_web::test]
async fn somebody_invisible_looks_like_nobody_but_to_connections() {
    let world = world();
    let mut ghost = world.hidden("ghost").await;
    ghost.hears_nothing_more().await;
    let mut nobody = presence(&world, "nobody").await;
    nobody["user"] = "ghost".into();
    assert_eq!(presence(&world, "ghost").await, nobody);
    assert_eq!(
        asks(&world, "get_user_status", json!({"users": ["ghost"]})).await["statuses"][0],
        json!({"user": "ghost"})
    );
    let found = asks(&world, "connections", json!({"user": "ghost"})).await;
    let (client, one) = found["connections"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(client.len(), 36);
    let expected = json!({
        "user": "ghost", "username": "ghost", "dialect": "nakama", "transport": "websocket", "visible": false,
    });
    assert_eq!(*one, expected);
    assert_eq!(asks(&world, "connections", json!({"user": "nobody"})).await, json!({"connections": {}}));
    ghost.sets(Some("")).await;
    let visible = until(&world, "ghost", |found| found["online"] == true).await;
    let last = visible["last_online"].clone();
    ghost.sets(None).await;
    let hidden = until(&world, "ghost", |found| found["online"] == false).await;
    assert!(hidden["last_online"].as_u64() >= last.as_u64(), "{hidden}");
    drop(ghost);
    while !asks(&world, "connections", json!({"user": "ghost"})).await["connections"].as_object().unwrap().is_empty() {}
    assert_eq!(presence(&world, "ghost").await, hidden, "a user that went is not what it was while invisible");
}

#[actix_web::test]
async fn somebody_is_disconnected_as_a_whole_or_on_one_connection() {
    let world = world();
    let mut phone = world.online("bob").await;
    let found = asks(&world, "connections", json!({"user": "bob"})).await;
    let (first, _) = found["connections"].as_object().unwrap().iter().next().unwrap();
    let mut tablet = world.connects("bob", "status=true").await;
    tablet.hears().await;
    phone.sees().await;
    let done = json!({});
    for other in ["", "not a uuid", "00000000-0000-1000-8000-000000000000"] {
        let body = json!({"user": if other.is_empty() { "carol" } else { "bob" }, "client": other});
        assert_eq!(asks(&world, "disconnect", body).await, done, "that there is none is no error");
    }
    assert_eq!(asks(&world, "disconnect", json!({"user": "bob", "client": first})).await, done);
    phone.hears_close().await;
    tablet.sees().await;
    let found = asks(&world, "connections", json!({"user": "bob"})).await;
    let (second, _) = found["connections"].as_object().unwrap().iter().next().unwrap();
    assert_ne!(first, second);
    asks(&world, "disconnect", json!({"user": "bob", "whitelist": [second]})).await;
    tablet.hears_nothing_more().await;
    asks(&world, "disconnect", json!({"user": "bob"})).await;
    tablet.hears_close().await;
    until(&world, "bob", |found| found["online"] == false).await;
}

#[actix_web::test]
async fn a_disconnection_may_have_a_code_and_a_reason_of_its_own() {
    let world = world();
    let mut bob = world.online("bob").await;
    for closing in [json!({"code": 1000}), json!({"code": 5000}), json!({"code": 4500, "reason": "x".repeat(124)})] {
        let request = world.server.post("/api/disconnect").insert_header(("X-API-Key", KEY));
        let body = json!({"user": "bob", "disconnect": closing});
        let answer: Value = request.send_json(&body).await.unwrap().json().await.unwrap();
        assert_eq!(answer["error"]["code"], 107, "{closing}");
    }
    bob.hears_nothing_more().await;
    asks(&world, "disconnect", json!({"user": "bob", "disconnect": {"code": 4500, "reason": "moved"}})).await;
    assert_eq!(bob.hears_close().await, (4500, "moved".to_owned()));
    let mut bob = world.online("bob").await;
    asks(&world, "disconnect", json!({"user": "bob", "disconnect": {"code": 4001}})).await;
    assert_eq!(bob.hears_close().await, (4001, "force disconnect".to_owned()));
}

#[actix_web::test]
async fn the_server_counts_its_clients_and_their_users() {
    let world = world();
    let people = [world.online("alice").await, world.hidden("alice").await, world.online("bob").await];
    let node = asks(&world, "info", json!({})).await["nodes"][0].clone();
    assert_eq!((&node["num_clients"], &node["num_users"]), (&json!(3), &json!(2)), "{node}");
    drop(people);
    let gone = async { while asks(&world, "info", json!({})).await["nodes"][0]["num_users"] != 0 {} };
    actix_web::rt::time::timeout(PATIENCE, gone).await.unwrap();
}

#[actix_web::test]
async fn five_hundred_people_are_looked_at_in_one_call_and_more_are_refused() {
    let world = world();
    let _bob = world.online("person-7").await;
    let names: Vec<String> = (0..500).map(|number| format!("person-{number}")).collect();
    let found = asks(&world, "get_presence", json!({"users": names})).await;
    let order: Vec<&str> = found["users"].as_array().unwrap().iter().map(|one| one["user"].as_str().unwrap()).collect();
    assert_eq!(order, names);
    let online = found["users"].as_array().unwrap().iter().filter(|one| one["online"] == true).count();
    assert_eq!(online, 1);
    let body = json!({"users": vec!["x"; 501]});
    let request = world.server.post("/api/get_presence").insert_header(("X-API-Key", KEY));
    let answer: Value = request.send_json(&body).await.unwrap().json().await.unwrap();
    assert_eq!(answer["error"]["code"], 107);
}
