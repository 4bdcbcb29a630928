//! `POST /v4/openim/query_online_status`.

use std::time::Duration;

use awc::ws::Message;
use futures_util::{SinkExt, StreamExt};
use hereabouts::auth::user_sig::UserSigs;
use hereabouts::config::value::Secret;
use hereabouts::presence::member_name::MemberName;
use serde_json::{Value, json};

use super::world::World;

const APP: u64 = 1_400_000_000;

fn user_sig(world: &World, name: &str, secret: &str, life: u64) -> String {
    let account = MemberName::new(name).unwrap();
    UserSigs::new(APP, &Secret::new(secret)).make(&account, Duration::from_secs(life), world.clock.time_of_day())
}

async fn query(world: &World, app: u64, identifier: &str, sig: &str, body: &str) -> Value {
    let path = format!(
        "/v4/openim/query_online_status?sdkappid={app}&identifier={identifier}&usersig={sig}&random=1&contenttype=json"
    );
    let (status, _, text) = world.post(&path).text(body).sends().await;
    assert_eq!(status, 200, "{text}");
    serde_json::from_str(&text).unwrap()
}

async fn asks(world: &World, body: Value) -> Value {
    let sig = user_sig(world, "administrator", "development-secret", 60);
    query(world, APP, "administrator", &sig, &body.to_string()).await
}

#[actix_web::test]
async fn who_is_online_and_on_which_platforms() {
    let world = World::with(|config| config.tencent.strict_accounts = true);
    let client = awc::Client::builder().max_http_version(actix_web::http::Version::HTTP_11).finish();
    let mut sockets = Vec::new();
    for platform in ["Web", "iPhone"] {
        let (_, mut socket) = client.ws(world.server.url("/im")).connect().await.unwrap();
        let sig = user_sig(&world, "alice", "development-secret", 60);
        for (method, params) in [
            ("login", json!({"SDKAppID": APP, "userID": "alice", "userSig": sig, "platform": platform})),
            ("setSelfStatus", json!({"customStatus": "busy"})),
        ] {
            let call = json!({"jsonrpc": "2.0", "id": method, "method": method, "params": params}).to_string();
            socket.send(Message::Text(call.into())).await.unwrap();
            socket.next().await.unwrap().unwrap();
        }
        sockets.push(socket);
    }
    let body = json!({"To_Account": ["alice", "nobody", "x".repeat(33)], "IsNeedDetail": 1, "IsReturnCustomStatus": 1});
    let detail = |platform: &str| json!({"Platform": platform, "Status": "Online"});
    let answer = asks(&world, body).await;
    let mut platforms = answer["QueryResult"][0]["Detail"].as_array().unwrap().clone();
    platforms.sort_by_key(|one| one["Platform"].to_string());
    assert_eq!(platforms, [detail("Web"), detail("iPhone")]);
    assert_eq!(
        (&answer["ActionStatus"], &answer["ErrorCode"], &answer["ErrorInfo"]),
        (&json!("OK"), &json!(0), &json!(""))
    );
    assert_eq!(answer["QueryResult"][0]["Status"], "Online");
    assert_eq!(answer["QueryResult"][0]["CustomStatus"], "busy");
    let missing = |name: &str| json!({"To_Account": name, "ErrorCode": 70107});
    assert_eq!(answer["ErrorList"], json!([missing("nobody"), missing(&"x".repeat(33))]));
    drop(sockets);
    let plain = loop {
        let answer = asks(&world, json!({"To_Account": ["alice"]})).await;
        if answer["QueryResult"][0]["Status"] != "Online" {
            break answer;
        }
    };
    assert_eq!(plain["QueryResult"], json!([{"To_Account": "alice", "Status": "PushOnline"}]));
}

#[actix_web::test]
async fn who_never_came_is_offline_where_accounts_are_not_strict() {
    let world = World::start();
    let answer = asks(&world, json!({"To_Account": ["nobody"], "IsNeedDetail": 1})).await;
    assert_eq!(answer["QueryResult"], json!([{"To_Account": "nobody", "Status": "Offline"}]));
    assert!(answer.get("ErrorList").is_none());
}

#[actix_web::test]
async fn a_failure_is_told_with_200_and_its_code() {
    let world = World::start();
    let good = user_sig(&world, "administrator", "development-secret", 60);
    let everybody = json!({"To_Account": ["alice"]}).to_string();
    let crowd = json!({"To_Account": vec!["x"; 501]}).to_string();
    for (app, identifier, sig, body, code) in [
        (APP, "administrator", user_sig(&world, "administrator", "development-secret", 0), everybody.as_str(), 70001),
        (APP, "administrator", user_sig(&world, "administrator", "other", 60), &everybody, 70003),
        (APP, "alice", good.clone(), &everybody, 70013),
        (APP + 1, "administrator", good.clone(), &everybody, 70014),
        (APP, "alice", user_sig(&world, "alice", "development-secret", 60), &everybody, 60010),
        (APP, "administrator", good.clone(), "{", 90001),
        (APP, "administrator", good.clone(), r#"{"To_Account":[]}"#, 90011),
        (APP, "administrator", good.clone(), &crowd, 90011),
    ] {
        let answer = query(&world, app, identifier, &sig, body).await;
        assert_eq!((&answer["ActionStatus"], &answer["ErrorCode"]), (&json!("FAIL"), &json!(code)), "{answer}");
    }
}
