//! `POST /v2/account/authenticate/{custom,device,email}`.

use hereabouts::presence::id::Username;
use hereabouts::store::accounts::{Account, LoginKey};
use serde_json::{Value, json};

use super::world::{World, claims};

const CUSTOM: &str = "/v2/account/authenticate/custom";
const DEVICE: &str = "/v2/account/authenticate/device";
const EMAIL: &str = "/v2/account/authenticate/email";

async fn refused(world: &World, path: &str, body: Value, message: &str) {
    world.post(path).key().json(body).fails(400, 3, message).await;
}

#[actix_web::test]
async fn an_account_is_made_once_and_found_again() {
    let world = World::start();
    let first =
        world.post(&format!("{CUSTOM}?create=true&username=alice")).key().json(json!({"id": "custom-1"})).is(200).await;
    assert_eq!(first["created"], true);
    let made = claims(first["token"].as_str().unwrap());
    assert_eq!(made["usn"], "alice");
    let again = world.post(&format!("{CUSTOM}?username=other")).key().json(json!({"id": "custom-1"})).is(200).await;
    assert_eq!(again.get("created"), None);
    let found = claims(again["token"].as_str().unwrap());
    assert_eq!((&found["uid"], &found["usn"]), (&made["uid"], &json!("alice")));
}

#[actix_web::test]
async fn a_missing_name_becomes_ten_characters() {
    let world = World::start();
    let claims = claims(&world.token("custom-1").await);
    let name = claims["usn"].as_str().unwrap();
    assert!(name.len() == 10 && name.bytes().all(|byte| byte.is_ascii_alphabetic()), "{name}");
    let id = claims["uid"].as_str().unwrap();
    assert_eq!((id.len(), id.as_bytes()[14], id.to_lowercase()), (36, b'4', id.to_owned()));
}

#[actix_web::test]
async fn an_unknown_login_is_not_found_when_it_may_not_be_made() {
    let world = World::start();
    for value in ["0", "f", "F", "FALSE", "false", "False"] {
        let asking = world.post(&format!("{CUSTOM}?create={value}")).key().json(json!({"id": "custom-1"}));
        asking.fails(404, 5, "User account not found.").await;
    }
    for (number, value) in ["1", "t", "T", "TRUE", "true", "True"].iter().enumerate() {
        let id = format!("custom-{number}");
        world.post(&format!("{CUSTOM}?create={value}&")).key().json(json!({ "id": id })).is(200).await;
    }
    for value in ["xyz", "", "tRUE"] {
        let message = format!("parsing field \"create\": strconv.ParseBool: parsing \"{value}\": invalid syntax");
        world.post(&format!("{CUSTOM}?create={value}")).json(json!({"id": "x"})).fails(400, 3, &message).await;
    }
}

#[actix_web::test]
async fn a_username_is_unique_and_case_matters() {
    let world = World::start();
    let name = |id: &str, name: &str| world.post(&format!("{CUSTOM}?username={name}")).key().json(json!({ "id": id }));
    name("custom-1", "probe_1").is(200).await;
    name("custom-2", "probe_1").fails(409, 6, "Username is already in use.").await;
    world.post(&format!("{CUSTOM}?create=false")).key().json(json!({"id": "custom-2"})).is(404).await;
    name("custom-2", "PROBE_1").is(200).await;
    name("custom-3", "J%C3%BCrgen+the+2nd").is(200).await;
    name("custom-4", "tab%09").fails(400, 3, "Username invalid, no spaces or control characters allowed.").await;
    name("custom-5", &"x".repeat(129)).fails(400, 3, "Username invalid, must be 1-128 bytes.").await;
    name("custom-6", &"x".repeat(128)).is(200).await;
    name("custom-7", "").is(200).await;
}

#[actix_web::test]
async fn ids_are_checked() {
    let world = World::start();
    for (path, what, shortest) in [(CUSTOM, "Custom ID", 6), (DEVICE, "Device ID", 10)] {
        let required = format!("{what} is required.");
        refused(&world, path, json!({}), &required).await;
        refused(&world, path, json!({"id": null}), &required).await;
        world.post(path).key().fails(400, 3, &required).await;
        for id in ["with a space", "with\ta tab...", "with\u{7f}delete"] {
            let message = format!("{what} invalid, no spaces or control characters allowed.");
            refused(&world, path, json!({ "id": id }), &message).await;
        }
        let length = format!("{what} invalid, must be {shortest}-128 bytes.");
        refused(&world, path, json!({"id": "x".repeat(shortest - 1)}), &length).await;
        refused(&world, path, json!({"id": "é".repeat(65)}), &length).await;
        world.post(path).key().json(json!({"id": "x".repeat(shortest)})).is(200).await;
        world.post(path).key().json(json!({"id": "é".repeat(64)})).is(200).await;
    }
}

#[actix_web::test]
async fn custom_and_device_ids_are_two_name_spaces() {
    let world = World::start();
    let custom = world.post(CUSTOM).key().json(json!({"id": "the-same-id"})).is(200).await;
    let device = world.post(DEVICE).key().json(json!({"id": "the-same-id"})).is(200).await;
    let user = |session: &Value| claims(session["token"].as_str().unwrap())["uid"].clone();
    assert_eq!(device["created"], true);
    assert_ne!(user(&custom), user(&device));
}

#[actix_web::test]
async fn email_addresses_and_passwords_are_checked() {
    let world = World::start();
    let cases = [
        ("a b@example.com", "Invalid email address, no spaces or control characters allowed."),
        ("example.com", "Invalid email address format."),
        ("@example.com", "Invalid email address format."),
        ("alice@example", "Invalid email address format."),
        ("alice@.", "Invalid email address format."),
        ("a@b.co", "Invalid email address, must be 10-255 bytes."),
    ];
    for (email, message) in cases {
        refused(&world, EMAIL, json!({"email": email, "password": "password"}), message).await;
    }
    let long = format!("{}@example.com", "x".repeat(250));
    refused(&world, EMAIL, json!({"email": long, "password": "password"}), cases[5].1).await;
    let short = json!({"email": "alice@example.com", "password": "1234567"});
    refused(&world, EMAIL, short, "Password must be at least 8 characters long.").await;
    let endless = json!({"email": "alice@example.com", "password": "x".repeat(1025)});
    refused(&world, EMAIL, endless, "Password must be at most 1024 bytes long.").await;
    let long = json!({"email": "long@example.com", "password": "x".repeat(100)});
    world.post(EMAIL).key().json(long).is(200).await;
}

#[actix_web::test]
async fn an_email_login_is_by_password_and_any_case() {
    let world = World::start();
    let login =
        |email: &str, password: &str| world.post(EMAIL).key().json(json!({"email": email, "password": password}));
    assert_eq!(login("Alice@Example.com", "password1").is(200).await["created"], true);
    assert_eq!(login("alice@example.COM", "password1").is(200).await.get("created"), None);
    login("alice@example.com", "password2").fails(401, 16, "Invalid credentials.").await;
    let unknown = world.post(&format!("{EMAIL}?create=false")).key();
    let unknown = unknown.json(json!({"email": "bob@example.com", "password": "password1"}));
    unknown.fails(404, 5, "User account not found.").await;
}

#[actix_web::test]
async fn a_username_and_a_password_do_where_there_is_an_address() {
    let world = World::start();
    let body = json!({"email": "alice@example.com", "password": "password1"});
    world.post(&format!("{EMAIL}?username=alice")).key().json(body).is(200).await;
    let by_name = |query: &str, password: &str| {
        world.post(&format!("{EMAIL}{query}")).key().json(json!({"email": "", "password": password}))
    };
    by_name("?username=alice", "password1").is(200).await;
    by_name("?username=alice", "password2").fails(401, 16, "Invalid credentials.").await;
    by_name("?username=nobody&create=true", "password1").fails(404, 5, "User account not found.").await;
    by_name("", "password1").fails(400, 3, "Username is required when email address is not supplied.").await;
    world.post(&format!("{CUSTOM}?username=custom")).key().json(json!({"id": "custom-1"})).is(200).await;
    by_name("?username=custom", "password1").fails(401, 16, "Invalid credentials.").await;
}

#[actix_web::test]
async fn too_many_wrong_passwords_are_not_looked_at() {
    let world = World::with(|config| config.limits.login_failures = 2);
    let login =
        |password: &str| world.post(EMAIL).key().json(json!({"email": "alice@example.com", "password": password}));
    login("password1").is(200).await;
    for _ in 0..2 {
        login("password2").is(401).await;
    }
    login("password1").fails(429, 8, "Too many wrong passwords, try again in 60 s.").await;
    let (_, headers, _) = login("password1").sends().await;
    assert_eq!(headers.get("Retry-After").unwrap(), "60");
    world.clock.advance(std::time::Duration::from_secs(61));
    login("password1").is(200).await;
}

#[actix_web::test]
async fn vars_go_into_the_token() {
    let world = World::start();
    let login = |vars: Value| world.post(CUSTOM).key().json(json!({"id": "custom-1", "vars": vars}));
    let session = login(json!({"a": "b"})).is(200).await;
    assert_eq!(claims(session["token"].as_str().unwrap())["vrs"], json!({"a": "b"}));
    for nothing in [json!({}), json!(null)] {
        let session = login(nothing).is(200).await;
        assert_eq!(claims(session["token"].as_str().unwrap()).get("vrs"), None);
    }
    assert_eq!(login(json!({"a": 1})).is(400).await["code"], 3);
    let session = login(json!({"a": "x".repeat(8000)})).is(200).await;
    world.get("/v2/account").bearer(session["token"].as_str().unwrap()).is(200).await;
    let message = "Session variables must be at most 8192 bytes long.";
    login(json!({"a": "x".repeat(8192)})).fails(400, 3, message).await;
}

#[actix_web::test]
async fn a_disabled_account_is_kept_out() {
    let world = World::start();
    let name = Username::new("mallory").unwrap();
    let account = Account::new(name, LoginKey::Custom("custom-mallory".into()), None, world.clock.now());
    world.parts.stores.accounts.create(Account { disabled: true, ..account }).await.unwrap();
    let asking = world.post(CUSTOM).key().json(json!({"id": "custom-mallory"}));
    asking.fails(403, 7, "User account banned.").await;
}

#[actix_web::test]
async fn of_many_at_once_one_makes_the_account_and_all_get_it() {
    let world = World::start();
    let logins = (0..20).map(|_| world.post(CUSTOM).key().json(json!({"id": "custom-1"})).is(200));
    let sessions = futures_util::future::join_all(logins).await;
    assert_eq!(sessions.iter().filter(|session| session["created"] == true).count(), 1);
    let users: std::collections::HashSet<String> =
        sessions.iter().map(|session| claims(session["token"].as_str().unwrap())["uid"].to_string()).collect();
    assert_eq!(users.len(), 1);
}
