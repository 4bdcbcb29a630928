//! `POST /v2/account/session/refresh` and `POST /v2/session/logout`.

use std::time::Duration;

use hereabouts::auth::token::Vars;
use hereabouts::presence::id::{UserId, Username};
use hereabouts::store::accounts::{Account, LoginKey};
use serde_json::{Value, json};

use super::world::{World, claims};

const REFRESH: &str = "/v2/account/session/refresh";
const LOGOUT: &str = "/v2/session/logout";

fn text(session: &Value, field: &str) -> String {
    session[field].as_str().unwrap().to_owned()
}

async fn works(world: &World, token: &str) -> bool {
    world.get("/v2/account").bearer(token).sends().await.0 == 200
}

#[actix_web::test]
async fn a_refresh_gives_a_pair_of_the_same_login() {
    let world = World::start();
    let body = json!({"id": "custom-1", "vars": {"a": "b"}});
    let first = world.post("/v2/account/authenticate/custom").key().json(body).is(200).await;
    world.clock.advance(Duration::from_secs(100));
    let refresh = |vars: Value| {
        let token = text(&first, "refresh_token");
        world.post(REFRESH).key().json(json!({"token": token, "vars": vars}))
    };
    let second = refresh(json!({})).is(200).await;
    assert_eq!(second.get("created"), None);
    let (before, after) = (claims(&text(&first, "token")), claims(&text(&second, "token")));
    for field in ["tid", "iat", "uid", "usn", "vrs"] {
        assert_eq!(before[field], after[field], "{field}");
    }
    assert_eq!(after["exp"].as_u64().unwrap() - before["exp"].as_u64().unwrap(), 100);
    let third = refresh(json!({"c": "d"})).is(200).await;
    assert_eq!(claims(&text(&third, "token"))["vrs"], json!({"c": "d"}));
}

#[actix_web::test]
async fn what_is_no_refresh_token_is_refused() {
    let world = World::start();
    let session = world.signs_in("custom-1").await;
    let refresh = |token: &str| world.post(REFRESH).key().json(json!({ "token": token }));
    refresh("").fails(400, 3, "Refresh token is required.").await;
    let invalid = "Refresh token invalid or expired.";
    refresh("x").fails(401, 16, invalid).await;
    refresh(&text(&session, "token")).fails(401, 16, invalid).await;
    let name = Username::new("ghost").unwrap();
    let ghost = world.parts.endpoints.nakama.auth.issue(UserId::random(), &name, Vars::new());
    refresh(&ghost.refresh).fails(404, 5, "User account not found.").await;
    world.clock.advance(Duration::from_secs(24 * 3600));
    refresh(&text(&session, "refresh_token")).fails(401, 16, invalid).await;
    world.post(REFRESH).bearer(&text(&session, "token")).json(json!({})).fails(401, 16, "Server key invalid").await;
}

#[actix_web::test]
async fn a_logout_ends_one_login_and_what_it_was_refreshed_to() {
    let world = World::start();
    let session = world.signs_in("custom-1").await;
    let (token, refresh) = (text(&session, "token"), text(&session, "refresh_token"));
    let refreshed = world.post(REFRESH).key().json(json!({ "token": refresh })).is(200).await;
    let other = world.token("custom-1").await;
    let answer = world.post(LOGOUT).bearer(&other).json(json!({"token": token, "refreshToken": refresh})).is(200).await;
    assert_eq!(answer, json!({}));
    assert!(!works(&world, &token).await);
    assert!(!works(&world, &text(&refreshed, "token")).await);
    assert!(works(&world, &other).await);
    world
        .post(REFRESH)
        .key()
        .json(json!({ "token": refresh }))
        .fails(401, 16, "Refresh token invalid or expired.")
        .await;
}

#[actix_web::test]
async fn a_logout_with_no_token_ends_all_older_ones() {
    let world = World::start();
    let session = world.signs_in("custom-1").await;
    let old = text(&session, "token");
    world.clock.advance(Duration::from_secs(2));
    let current = world.token("custom-1").await;
    let bystander = world.token("custom-2").await;
    assert_eq!(world.post(LOGOUT).bearer(&current).is(200).await, json!({}));
    assert!(!works(&world, &old).await);
    assert!(works(&world, &current).await, "issued in the same second");
    assert!(works(&world, &bystander).await);
    let body = json!({"token": text(&session, "refresh_token")});
    world.post(REFRESH).key().json(body).fails(401, 16, "Refresh token invalid or expired.").await;
}

#[actix_web::test]
async fn only_ones_own_tokens_are_ended() {
    let world = World::start();
    let alice = world.signs_in("custom-1").await;
    let bob = world.signs_in("custom-2").await;
    let logout = |body: Value| world.post(LOGOUT).bearer(alice["token"].as_str().unwrap()).json(body);
    for token in ["x", bob["token"].as_str().unwrap(), alice["refresh_token"].as_str().unwrap()] {
        logout(json!({ "token": token })).fails(400, 3, "Session token invalid.").await;
    }
    for token in ["x", bob["refresh_token"].as_str().unwrap(), alice["token"].as_str().unwrap()] {
        logout(json!({ "refresh_token": token })).fails(400, 3, "Refresh token invalid.").await;
    }
    assert!(works(&world, &text(&alice, "token")).await && works(&world, &text(&bob, "token")).await);
    world.post(LOGOUT).fails(401, 16, "Auth token required").await;
}

#[actix_web::test]
async fn a_logout_is_all_or_none_and_a_disabled_account_is_not_refreshed() {
    let world = World::start();
    let session = world.signs_in("custom-1").await;
    let token = text(&session, "token");
    let half_right = json!({"token": token, "refresh_token": "x"});
    world.post(LOGOUT).bearer(&token).json(half_right).fails(400, 3, "Refresh token invalid.").await;
    assert!(works(&world, &token).await, "half of a refused logout happened");
    let name = Username::new("mallory").unwrap();
    let account = Account::new(name.clone(), LoginKey::Custom("custom-2".into()), None, world.clock.now());
    let mallory = account.id;
    world.parts.stores.accounts.create(Account { disabled: true, ..account }).await.unwrap();
    let tokens = world.parts.endpoints.nakama.auth.issue(mallory, &name, Vars::new());
    world.post(REFRESH).key().json(json!({"token": tokens.refresh})).fails(403, 7, "User account banned.").await;
}
