//! Sign-ups and logins of Nakama accounts: usernames and passwords.

use actix_web::http::Method;
use futures_util::future::join_all;
use hereabouts::auth::client_network::ClientNetwork;
use hereabouts::presence::id::Username;
use hereabouts::store::accounts::{Account, LoginKey};
use serde_json::{Value, json};

use crate::world::{PATIENCE, World};

const EMAIL: &str = "/v2/account/authenticate/email";

/// `Basic` with the development server key.
const SERVER_KEY: &str = "Basic ZGVmYXVsdGtleTo=";

async fn call(world: &World, method: Method, path: &str, authorization: &str, body: Value) -> (u16, Value) {
    let url = world.server.url(path);
    let request = awc::Client::builder()
        .timeout(PATIENCE)
        .finish()
        .request(method, url)
        .insert_header(("Authorization", authorization));
    let mut response = request.send_json(&body).await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

/// Percent-encodes a query parameter.
fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[actix_web::test]
async fn new_usernames_are_normalised_or_refused_and_old_ones_stay() {
    let world = World::start();
    let nakama = &world.components.endpoints.nakama;
    let old = "o\u{200b}ld ";
    let hash = nakama.accounts.passwords.hash(ClientNetwork::new(None), "password".into()).await.unwrap();
    let email = LoginKey::Email("old@example.com".into());
    let account = Account::new(Username::new(old).unwrap(), email, Some(hash), world.clock.time_of_day());
    world.components.stores.accounts.create(account).await.unwrap();
    let login = async |name: &str, body: Value| {
        call(&world, Method::POST, &format!("{EMAIL}?username={}", encoded(name)), SERVER_KEY, body).await
    };
    // By its old name, and by its address with the old name beside it, which counts for sign-ups only.
    let (status, session) = login(old, json!({"password": "password"})).await;
    assert_eq!(status, 200, "{session}");
    assert_eq!(login(old, json!({"email": "old@example.com", "password": "password"})).await.0, 200);
    let bearer = format!("Bearer {}", session["token"].as_str().unwrap());
    let update =
        async |name: &str| call(&world, Method::PUT, "/v2/account", &bearer, json!({"username": name})).await.0;
    assert_eq!(update(old).await, 200, "an update that keeps the name");
    assert_eq!(update("ne\u{200b}w").await, 400);
    assert_eq!(login("ne\u{202e}w", json!({"email": "new@example.com", "password": "password"})).await.0, 400);
    // Full-width letters are those letters, at the sign-up and at a login.
    let (status, session) = login("\u{ff4e}ew", json!({"email": "new@example.com", "password": "password"})).await;
    assert_eq!((status, &session["created"]), (200, &json!(true)));
    for name in ["new", "\u{ff4e}ew", "n\u{ff45}w"] {
        assert_eq!(login(name, json!({"password": "password"})).await.0, 200, "{name}");
    }
    assert_eq!(login("new", json!({"email": "other@example.com", "password": "password"})).await.0, 409);
}

#[actix_web::test]
async fn sixty_right_passwords_at_once_are_all_right() {
    let world = World::start();
    let body = json!({"email": "alice@example.com", "password": "password"});
    let login = || call(&world, Method::POST, EMAIL, SERVER_KEY, body.clone());
    assert_eq!(login().await.0, 200);
    let answers = join_all((0..60).map(|_| login())).await;
    assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
}
