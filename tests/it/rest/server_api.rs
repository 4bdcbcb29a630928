//! The server API over HTTP, whatever the method: key, paths, batches, the old endpoint, the description.

use actix_web::http::Method;
use hereabouts::config::Exposure;
use hereabouts::config::value::Secret;
use serde_json::{Value, json};

use super::world::{Asking, World};

const KEY: &str = "a key of the tests";

fn world() -> World {
    World::with(|config| config.http_api.key = Some(Secret::new(KEY)))
}

fn call(world: &World, method: &str) -> Asking {
    world.post(&format!("/api/{method}")).header("X-API-Key", KEY)
}

async fn status(asking: Asking) -> u16 {
    let (status, _, text) = asking.text("{}").sends().await;
    assert!(status != 401 || text.is_empty(), "{text}");
    status
}

#[actix_web::test]
async fn the_key_is_taken_at_three_places_in_their_order() {
    let world = world();
    let info = || world.post("/api/info");
    let query = |key: &str| world.post(&format!("/api/info?a=b&api_key={}", key.replace(' ', "%20")));
    assert_eq!(status(info()).await, 401);
    assert_eq!(status(info().header("X-API-Key", KEY)).await, 200);
    for wrong in ["", "A KEY OF THE TESTS", "a key of the test", "a key of the testss"] {
        assert_eq!(status(info().header("X-API-Key", wrong)).await, 401, "{wrong}");
    }
    assert_eq!(status(query(KEY)).await, 200);
    assert_eq!(status(query("wrong")).await, 401);
    assert_eq!(status(query(KEY).header("X-API-Key", "wrong")).await, 401, "the query does not make it good");
    assert_eq!(status(query(KEY).header("Authorization", "apikey wrong")).await, 401);
    assert_eq!(status(query(KEY).header("Authorization", "Basic cHJveHk6")).await, 200, "that is for a proxy");
    assert_eq!(status(world.post("/api/info?api_key=wrong&api_key=right")).await, 401);
    let spaced = World::with(|config| config.http_api.key = Some(Secret::new("secret")));
    let info = || spaced.post("/api/info");
    for right in ["apikey secret", "APIKEY secret", "  ApiKey   secret "] {
        assert_eq!(status(info().header("Authorization", right)).await, 200, "{right}");
    }
    for wrong in ["secret", "apikey", "apikey secret x", "Bearer secret", "apikey SECRET"] {
        assert_eq!(status(info().header("Authorization", wrong)).await, 401, "{wrong}");
    }
    let both = info().header("Authorization", "apikey secret").header("X-API-Key", "wrong");
    assert_eq!(status(both).await, 401, "X-API-Key is looked at alone where it is there");
}

#[actix_web::test]
async fn without_a_key_nobody_may_call() {
    let world = World::start();
    assert_eq!(status(world.post("/api/info")).await, 401);
    assert_eq!(status(world.post("/api/info").header("X-API-Key", "")).await, 401);
    assert_eq!(status(world.post("/api/info?api_key=")).await, 401);
    assert_eq!(status(world.post("/api").header("Authorization", "apikey ")).await, 401);
}

#[actix_web::test]
async fn path_method_and_key_are_looked_at_in_this_order() {
    let world = world();
    for path in ["/api/info", "/api/batch", "/api"] {
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::OPTIONS] {
            let (status, _, text) = world.request(method.clone(), path).sends().await;
            assert_eq!((status, text.as_str()), (405, ""), "{method} {path}");
        }
        assert_eq!(world.post(path).text("{").sends().await.0, 401, "{path}");
    }
    for path in ["/api/publish", "/api/", "/api/info/", "/api/get_user_status/x"] {
        let (status, _, text) = world.post(path).text("{}").sends().await;
        assert_eq!((status, text.as_str()), (404, "404 page not found\n"), "{path}");
    }
    let large = format!(r#"{{"users":["{}"]}}"#, "x".repeat(300_000));
    assert_eq!(world.post("/api/info").text(&large).sends().await.0, 401);
    assert_eq!(call(&world, "info").text(&large).sends().await.0, 413);
}

#[actix_web::test]
async fn a_batch_is_answered_in_its_order_without_results_around() {
    let world = world();
    for parallel in [false, true] {
        let body = json!({"parallel": parallel, "commands": [
            {"update_user_status": {"users": ["1"], "state": "dnd"}},
            null,
            {},
            {"publish": {"channel": "x", "data": {}}},
            {"update_user_status": {"users": []}},
            {"get_user_status": {"users": ["2"]}},
        ]});
        let (status, _, text) = call(&world, "batch").json(body).sends().await;
        let expected = concat!(
            r#"{"replies":[{"update_user_status":{}},"#,
            r#"{"error":{"code":107,"message":"bad request","detail":"a command is null"}},"#,
            r#"{"error":{"code":104,"message":"not found","detail":"a command names no method of this server"}},"#,
            r#"{"error":{"code":104,"message":"not found","detail":"a command names no method of this server"}},"#,
            r#"{"error":{"code":107,"message":"bad request","detail":"users: at least one is required"}},"#,
            r#"{"get_user_status":{"statuses":[{"user":"2"}]}}]}"#,
        );
        assert_eq!((status, text.as_str()), (200, expected));
    }
    let transport = call(&world, "batch").header("X-Centrifugo-Error-Mode", "transport");
    assert!(transport.json(json!({"commands": [null]})).is(200).await["replies"][0]["error"].is_object());
    for body in ["{}", "null", r#"{"commands":null}"#] {
        assert_eq!(call(&world, "batch").text(body).is(200).await, json!({"replies": []}), "{body}");
    }
    for body in ["", r#"{"commands":[1]}"#, r#"{"commands":{}}"#, r#"{"commands":[{"get_user_status":{"users":[1]}}]}"#]
    {
        assert_eq!(call(&world, "batch").text(body).sends().await.0, 400, "{body}");
    }
    let many = json!({"commands": vec![json!({"info": {}}); 1025]});
    assert_eq!(call(&world, "batch").json(many).sends().await.0, 400);
}

#[actix_web::test]
async fn a_sequential_batch_sees_what_it_has_done() {
    let world = world();
    let commands = json!([
        {"update_user_status": {"users": ["1"]}},
        {"get_user_status": {"users": ["1"]}},
        {"delete_user_status": {"users": ["1"]}},
        {"get_user_status": {"users": ["1"]}},
    ]);
    let replies = &call(&world, "batch").json(json!({"commands": commands})).is(200).await["replies"];
    assert_eq!(replies[1], json!({"get_user_status": {"statuses": [{"user": "1", "active": 1_795_220_273}]}}));
    assert_eq!(replies[3], json!({"get_user_status": {"statuses": [{"user": "1"}]}}));
}

#[actix_web::test]
async fn the_old_endpoint_takes_calls_one_after_the_other() {
    let world = world();
    let body = concat!(
        r#"{"id":1,"method":"update_user_status","params":{"users":["42"]}}"#,
        "\n",
        r#"{"id":2,"method":"GET_USER_STATUS","params":{"users":["42"]}} {"method":17,"params":{"users":["42"]}}"#,
        r#"{"id":4,"method":16,"params":{"users":["42"]}}{"id":5,"method":"publish","params":{}}"#,
        r#"{"id":6,"method":0}{"id":7,"method":"get_user_status","params":{"users":[42]}}"#,
    );
    let asking = world.post("/api").header("Authorization", &format!("apikey {KEY}"));
    assert_eq!(asking.text(body).sends().await.0, 401, "a key of several words is no field");
    let (status, headers, text) = world.post("/api").header("X-API-Key", KEY).text(body).sends().await;
    let lines: Vec<&str> = text.split('\n').collect();
    assert_eq!(status, 200);
    assert_eq!(headers.get("content-type").unwrap(), "application/json");
    assert_eq!(
        lines[..4],
        [
            r#"{"id":1,"result":{}}"#,
            r#"{"id":2,"result":{"statuses":[{"user":"42","active":1795220273}]}}"#,
            r#"{"result":{}}"#,
            r#"{"id":4,"result":{"statuses":[{"user":"42"}]}}"#,
        ]
    );
    let errors: Vec<Value> = lines[4..].iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let codes: Vec<_> = errors.iter().map(|error| (error["id"].as_u64(), error["error"]["code"].as_u64())).collect();
    assert_eq!(codes, [(Some(5), Some(104)), (Some(6), Some(104)), (Some(7), Some(107))]);
    for body in ["", "{", "[]", r#"{"method":"nonsense"}"#, r#"{"method":true}"#, r#"{"id":-1,"method":"info"}"#] {
        let (status, _, text) = world.post("/api").header("X-API-Key", KEY).text(body).sends().await;
        assert_eq!((status, text.as_str()), (400, "Bad Request\n"), "{body}");
    }
}

#[actix_web::test]
async fn the_server_says_what_it_is() {
    let world = world();
    world.clock.advance(std::time::Duration::from_secs(7));
    let answer = call(&world, "info").text("{}").is(200).await;
    let node = &answer["result"]["nodes"][0];
    assert_eq!(node["name"], "127.0.0.1:7350");
    assert_eq!(node["uptime"], 7);
    assert!(node["uid"].as_str().is_some_and(|uid| uid.len() == 36), "{node}");
    for field in ["num_clients", "num_users", "num_channels", "num_subs"] {
        assert_eq!(node[field], 0, "{field}");
    }
}

#[actix_web::test]
async fn the_description_and_its_page_need_no_key_and_no_other_server() {
    let world = World::start();
    let document = world.get("/api/openapi.json").is(200).await;
    for (path, operations) in document["paths"].as_object().unwrap() {
        let methods: Vec<&String> = operations.as_object().unwrap().keys().collect();
        assert_eq!(methods, ["post"], "{path}");
        assert_eq!(status(world.post(path)).await, 401, "{path} is described and not there");
    }
    let (found, _, page) = world.get("/api/docs/").sends().await;
    assert_eq!(found, 200);
    let script = world.get("/api/docs/swagger-initializer.js").sends().await.2;
    assert!(script.contains("/api/openapi.json"), "{script}");
    for text in [&page, &script] {
        assert!(!text.contains("http://") && !text.contains("https://"), "{text}");
    }
    for file in ["swagger-ui-bundle.js", "swagger-ui.css"] {
        assert_eq!(world.get(&format!("/api/docs/{file}")).sends_head().await, 200, "{file}");
    }
    let without = World::with(|config| config.http_api.swagger = Exposure::Never);
    assert_eq!(without.get("/api/docs/").sends().await.0, 404);
    assert_eq!(without.get("/api/openapi.json").sends().await.0, 404);
}
