//! `GET` and `PUT /v2/account`, `GET /v2/user`.

use std::time::Duration;

use actix_web::http::Method;
use hereabouts::auth::token::Vars;
use hereabouts::presence::id::{UserId, Username};
use serde_json::{Value, json};

use super::world::{World, claims};

async fn signed_in(world: &World, id: &str, name: &str) -> (String, String) {
    let path = format!("/v2/account/authenticate/custom?username={name}");
    let session = world.post(&path).key().json(json!({ "id": id })).is(200).await;
    let token = session["token"].as_str().unwrap().to_owned();
    let user = claims(&token)["uid"].as_str().unwrap().to_owned();
    (token, user)
}

fn update(world: &World, token: &str, body: Value) -> super::world::Asking {
    world.request(Method::PUT, "/v2/account").bearer(token).json(body)
}

#[actix_web::test]
async fn an_account_shows_what_is_set_and_nothing_else() {
    let world = World::start();
    let (token, user) = signed_in(&world, "custom-1", "alice").await;
    let expected = json!({
        "user": {
            "id": user, "username": "alice", "lang_tag": "en", "metadata": "{}",
            "create_time": "2026-11-21T00:17:53Z", "update_time": "2026-11-21T00:17:53Z",
        },
        "wallet": "{}", "custom_id": "custom-1",
    });
    assert_eq!(world.get("/v2/account").bearer(&token).is(200).await, expected);
    let device = json!({"id": "device-number-1"});
    let session = world.post("/v2/account/authenticate/device").key().json(device).is(200).await;
    let account = world.get("/v2/account").bearer(session["token"].as_str().unwrap()).is(200).await;
    assert_eq!((&account["devices"], account.get("custom_id")), (&json!([{"id": "device-number-1"}]), None));
    let email = json!({"email": "Alice@example.com", "password": "password1"});
    let session = world.post("/v2/account/authenticate/email").key().json(email).is(200).await;
    let account = world.get("/v2/account").bearer(session["token"].as_str().unwrap()).is(200).await;
    assert_eq!((&account["email"], account.get("devices")), (&json!("alice@example.com"), None));
}

#[actix_web::test]
async fn a_token_of_nobody_finds_no_account() {
    let world = World::start();
    let name = Username::new("ghost").unwrap();
    let token = world.parts.endpoints.nakama.auth.issue(UserId::random(), &name, Vars::new()).session;
    world.get("/v2/account").bearer(&token).fails(404, 5, "Account not found.").await;
    update(&world, &token, json!({"location": "here"})).fails(404, 5, "Account not found.").await;
}

#[actix_web::test]
async fn a_profile_changes_field_by_field() {
    let world = World::start();
    let (token, _) = signed_in(&world, "custom-1", "alice").await;
    world.clock.advance(Duration::from_secs(7));
    let body = json!({"displayName": "Alice!", "avatar_url": "http://x/a.png", "lang_tag": "de", "surprise": 1});
    assert_eq!(update(&world, &token, body).is(200).await, json!({}));
    assert_eq!(update(&world, &token, json!({"location": "here", "timezone": "CET"})).is(200).await, json!({}));
    let account = world.get("/v2/account").bearer(&token).is(200).await;
    let expected = [
        ("display_name", "Alice!"),
        ("avatar_url", "http://x/a.png"),
        ("lang_tag", "de"),
        ("location", "here"),
        ("timezone", "CET"),
        ("create_time", "2026-11-21T00:17:53Z"),
        ("update_time", "2026-11-21T00:18:00Z"),
    ];
    for (field, value) in expected {
        assert_eq!(account["user"][field], value, "{field}");
    }
    update(&world, &token, json!({"location": "x".repeat(256)}))
        .fails(400, 3, "Invalid location, must be 0-255 bytes.")
        .await;
}

#[actix_web::test]
async fn a_rename_takes_a_free_name_and_later_tokens_carry_it() {
    let world = World::start();
    let (alice, _) = signed_in(&world, "custom-1", "alice").await;
    signed_in(&world, "custom-2", "bob").await;
    update(&world, &alice, json!({"username": "bob"})).fails(409, 6, "Username is already in use.").await;
    let message = "Username invalid, no spaces or control characters allowed.";
    update(&world, &alice, json!({"username": "a\u{7}"})).fails(400, 3, message).await;
    update(&world, &alice, json!({"username": "alicia"})).is(200).await;
    let session = world.signs_in("custom-1").await;
    assert_eq!(claims(session["token"].as_str().unwrap())["usn"], "alicia");
}

#[actix_web::test]
async fn users_are_found_by_id_in_any_spelling_and_by_name() {
    let world = World::start();
    let (token, alice) = signed_in(&world, "custom-1", "alice").await;
    let (_, bob) = signed_in(&world, "custom-2", "bob").await;
    let names = async |query: &str| -> Vec<String> {
        let answer = world.get(&format!("/v2/user?{query}")).bearer(&token).is(200).await;
        let users = answer["users"].as_array().cloned().unwrap_or_default();
        let mut names: Vec<String> = users.iter().map(|user| user["username"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&format!("ids={alice}&ids={bob}&usernames=bob&")).await, ["alice", "bob"]);
    for id in [alice.to_uppercase(), alice.replace('-', ""), format!("%7B{alice}%7D"), format!("urn:uuid:{alice}")] {
        assert_eq!(names(&format!("ids={id}&facebook_ids=x")).await, ["alice"], "{id}");
    }
    let unknown = UserId::random();
    assert_eq!(names(&format!("ids={unknown}&usernames=nobody&usernames=bob")).await, ["bob"]);
    for nothing in [String::new(), format!("ids={unknown}")] {
        assert_eq!(world.get(&format!("/v2/user?{nothing}")).bearer(&token).is(200).await, json!({}));
    }
    world.get("/v2/user?ids=xyz").bearer(&token).fails(400, 3, "ID 'xyz' is not a valid system ID.").await;
    let answer = world.get(&format!("/v2/user?ids={alice}")).bearer(&token).is(200).await;
    assert_eq!(answer["users"][0].get("online"), None, "offline is not written");
}
