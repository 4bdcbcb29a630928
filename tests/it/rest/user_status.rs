//! The server API's methods on what is kept of users, over HTTP.

use std::time::Duration;

use hereabouts::config::value::{Pattern, Secret};
use serde_json::json;

use super::world::{Asking, World};

const KEY: &str = "a key of the tests";

fn world() -> World {
    World::with(|config| config.http_api.key = Some(Secret::new(KEY)))
}

fn call(world: &World, method: &str) -> Asking {
    world.post(&format!("/api/{method}")).header("X-API-Key", KEY)
}

/// Sends a body as it is and returns the answer as it is.
async fn says(world: &World, method: &str, body: &str) -> (u16, String) {
    let (status, _, text) = call(world, method).text(body).sends().await;
    (status, text)
}

#[actix_web::test]
async fn the_requests_of_the_original_get_its_exact_replies() {
    let world = world();
    let done = (200, r#"{"result":{}}"#.to_owned());
    assert_eq!(says(&world, "update_user_status", r#"{"users":["42","44"],"state":"dnd"}"#).await, done);
    let asked = r#"{"users": ["42", "43", "42"]}"#;
    let status = r#"{"user":"42","active":1795220273,"state":"dnd"}"#;
    let expected = format!(r#"{{"result":{{"statuses":[{status},{{"user":"43"}},{status}]}}}}"#);
    assert_eq!(says(&world, "get_user_status", asked).await, (200, expected));
    assert_eq!(says(&world, "delete_user_status", r#"{"users":["42"]}"#).await, done);
    let expected = r#"{"result":{"statuses":[{"user":"42"},{"user":"43"},{"user":"42"}]}}"#;
    assert_eq!(says(&world, "get_user_status", asked).await, (200, expected.to_owned()));
    let (_, headers, _) = call(&world, "get_user_status").text(asked).sends().await;
    assert_eq!(headers.get("content-type").unwrap(), "application/json");
}

#[actix_web::test]
async fn an_update_without_a_state_keeps_the_last_one_and_makes_nobody_online() {
    let world = world();
    call(&world, "update_user_status").json(json!({"users": ["42"], "state": "dnd"})).is(200).await;
    world.clock.advance(Duration::from_secs(10));
    call(&world, "update_user_status").json(json!({"users": ["42"], "state": ""})).is(200).await;
    let answer = call(&world, "get_user_status").json(json!({"users": ["42"]})).is(200).await;
    let kept = json!({"user": "42", "active": 1_795_220_283, "state": "dnd"});
    assert_eq!(answer, json!({"result": {"statuses": [kept]}}));
}

#[actix_web::test]
async fn a_state_is_held_to_the_pattern_of_the_settings() {
    let world = World::with(|config| {
        config.http_api.key = Some(Secret::new(KEY));
        config.user_status.state_regex = Pattern::try_from("^(dnd|away)$").unwrap();
    });
    call(&world, "update_user_status").json(json!({"users": ["42"], "state": "dnd"})).is(200).await;
    let answer = call(&world, "update_user_status").json(json!({"users": ["42"], "state": "dnd?"})).is(200).await;
    assert_eq!(answer["error"]["code"], 107, "{answer}");
    call(&world, "update_user_status").json(json!({"users": ["42"], "state": ""})).is(200).await;
    let answer = call(&world, "get_user_status").json(json!({"users": ["42"]})).is(200).await;
    assert_eq!(answer["result"]["statuses"][0]["state"], "dnd", "{answer}");
}

#[actix_web::test]
async fn a_status_is_forgotten_after_its_time_and_every_update_extends_it() {
    let world = world();
    let day = Duration::from_secs(24 * 3600);
    call(&world, "update_user_status").json(json!({"users": ["42"]})).is(200).await;
    world.clock.advance(30 * day);
    call(&world, "update_user_status").json(json!({"users": ["42"]})).is(200).await;
    world.clock.advance(30 * day);
    let answer = call(&world, "get_user_status").json(json!({"users": ["42"]})).is(200).await;
    assert!(answer["result"]["statuses"][0]["active"].is_u64(), "{answer}");
    world.clock.advance(day);
    let answer = call(&world, "get_user_status").json(json!({"users": ["42"]})).is(200).await;
    assert_eq!(answer["result"]["statuses"][0], json!({"user": "42"}));
}

#[actix_web::test]
async fn what_the_decoder_of_the_original_takes_is_taken_and_nothing_else() {
    let world = world();
    let nobody = (200, r#"{"result":{"statuses":[]}}"#.to_owned());
    for body in ["{}", "null", " {} ", r#"{"users":null}"#, r#"{"users":[]}"#, r#"{"other":[1,{}]}"#] {
        assert_eq!(says(&world, "get_user_status", body).await, nobody, "{body}");
    }
    assert_eq!(
        says(&world, "get_user_status", r#"{"USERS":["1"]}"#).await.1,
        r#"{"result":{"statuses":[{"user":"1"}]}}"#
    );
    let bad = (400, "Bad Request\n".to_owned());
    for body in ["", " ", "{", "[]", "1", r#""x""#, "{}x", "{}{}", r#"{"users":[42]}"#, r#"{"users":"42"}"#, "\u{0}"] {
        assert_eq!(says(&world, "get_user_status", body).await, bad, "{body}");
    }
    let (status, _, text) = call(&world, "get_user_status").bytes(b"{\"users\":[\"\xff\"]}").sends().await;
    assert_eq!((status, text), bad);
    assert_eq!(says(&world, "update_user_status", r#"{"users":["42"],"state":1}"#).await, bad);
    let deep = "[".repeat(100_000);
    assert_eq!(says(&world, "get_user_status", &deep).await, bad);
}

#[actix_web::test]
async fn a_wrong_argument_is_107_with_200_or_in_transport_mode_with_400() {
    let world = world();
    let long = "x".repeat(2049);
    let many = vec!["1"; 1001];
    for (method, body) in [
        ("update_user_status", json!({"users": []})),
        ("update_user_status", json!({})),
        ("delete_user_status", json!({"users": []})),
        ("update_user_status", json!({"users": [""]})),
        ("update_user_status", json!({"users": ["x".repeat(256)]})),
        ("update_user_status", json!({"users": ["42"], "state": long})),
        ("get_user_status", json!({"users": many})),
        ("get_user_status", json!({"users": ["42", ""]})),
    ] {
        let answer = call(&world, method).json(body.clone()).is(200).await;
        assert_eq!(
            (&answer["error"]["code"], &answer["error"]["message"]),
            (&json!(107), &json!("bad request")),
            "{answer}"
        );
        assert!(answer["error"]["detail"].is_string() && answer.get("result").is_none(), "{answer}");
        let asking = call(&world, method).header("X-Centrifugo-Error-Mode", "transport");
        let answer = asking.json(body).is(400).await;
        assert_eq!((&answer["code"], &answer["message"]), (&json!(107), &json!("bad request")), "{answer}");
    }
    let answer = call(&world, "get_user_status").json(json!({"users": ["42"]})).is(200).await;
    assert_eq!(answer, json!({"result": {"statuses": [{"user": "42"}]}}), "a refused call changed something");
}

#[actix_web::test]
async fn switched_off_it_is_not_available_and_the_rest_is() {
    let world = World::with(|config| {
        config.http_api.key = Some(hereabouts::config::value::Secret::new(KEY));
        config.http_api.error_mode = hereabouts::config::ErrorMode::Transport;
        config.user_status.enabled = false;
    });
    for method in ["update_user_status", "get_user_status", "delete_user_status"] {
        let answer = call(&world, method).json(json!({"users": ["42"]})).is(400).await;
        assert_eq!((&answer["code"], &answer["message"]), (&json!(108), &json!("not available")), "{answer}");
    }
    let answer = call(&world, "get_presence").json(json!({"users": ["42"]})).is(200).await;
    let nobody = json!({"user": "42", "online": false, "general": "unlogined", "connections": []});
    assert_eq!(answer, json!({"result": {"users": [nobody]}}));
}
