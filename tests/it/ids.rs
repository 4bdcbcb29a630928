//! One rule for user ids: whatever can connect can be named, disconnected and blocked by the server API, and every
//! spelling of a UUID is the same user at every entrance.

use hereabouts::config::value::Secret;
use hereabouts::presence::id::UserId;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::centrifugo::client::token;
use crate::tencent::Device;
use crate::world::{Person, World, shown};

const KEY: &str = "a key of the tests";

const NIL: &str = "00000000-0000-0000-0000-000000000000";

/// The spellings of one UUID.
const SPELLINGS: [&str; 6] = [
    "f13ead91-7889-4f81-afd8-ab814be9a6d0",
    "F13EAD91-7889-4F81-AFD8-AB814BE9A6D0",
    "f13ead9178894f81afd8ab814be9a6d0",
    "F13EAD9178894F81AFD8AB814BE9A6D0",
    "{F13ead91-7889-4f81-afd8-ab814be9a6d0}",
    "urn:uuid:f13ead91-7889-4f81-afd8-ab814be9a6d0",
];

fn world() -> World {
    World::with(|config| config.http_api.key = Some(Secret::new(KEY)))
}

async fn api(world: &World, method: &str, body: Value) -> Value {
    let client = awc::Client::default();
    let request = client.post(world.server.url(&format!("/api/{method}"))).insert_header(("X-API-Key", KEY));
    request.send_json(&body).await.unwrap().json().await.unwrap()
}

/// A Nakama connection of a user with this spelling in the token, or none if the token is refused.
async fn nakama(world: &World, uid: &str) -> Option<Person> {
    let claims = json!({"tid": "6a2f41a3-c54c-4ce8-a4b7-5d1f0b6a4d4a", "uid": uid, "usn": "spelled", "exp": 4_000_000_000_u64, "iat": 1});
    let token = encode(&Header::default(), &claims, &EncodingKey::from_secret(b"defaultencryptionkey")).unwrap();
    let client = awc::Client::builder().max_http_version(actix_web::http::Version::HTTP_11).finish();
    let (_, socket) = client.ws(world.server.url(&format!("/ws?token={token}&status=true"))).connect().await.ok()?;
    Some(Person::on("spelled", socket))
}

#[actix_web::test]
async fn every_id_that_can_connect_can_be_named_disconnected_and_blocked() {
    let world = world();
    let _owner = world.centrifugo("owner").await;
    let long = "x".repeat(255);
    for id in
        ["a", " ", "Jürgen Müller", "a:b/c?d#e", "🙂", "alice@example.com and thirty-three more", &long, SPELLINGS[4]]
    {
        let mut client = world.centrifugo(id).await;
        assert_eq!(client.subscribes("status:owner").await["online"], true, "{id:?}");
        assert_eq!(
            api(&world, "block", json!({"user": "owner", "users": [id]})).await,
            json!({"result": {}}),
            "{id:?}"
        );
        assert_eq!(
            client.sees("status:owner").await,
            json!({"user": "owner", "online": false, "statuses": []}),
            "{id:?}"
        );
        assert_eq!(client.subscribes(&format!("status:{id}")).await["online"], true, "{id:?} names itself");
        let named = api(&world, "connections", json!({"user": id})).await;
        assert_eq!(named["result"]["connections"].as_object().unwrap().len(), 1, "{id:?}: {named}");
        assert_eq!(api(&world, "get_presence", json!({"users": [id]})).await["result"]["users"][0]["user"], id);
        assert_eq!(api(&world, "disconnect", json!({"user": id})).await, json!({"result": {}}));
        assert_eq!(client.hears_close().await.0, 3503, "{id:?}");
    }
}

#[actix_web::test]
async fn an_id_that_cannot_be_named_cannot_connect() {
    let world = world();
    let _alice = world.centrifugo("alice").await;
    for id in ["tab\there", "\u{7f}", "\u{9d}", &"x".repeat(256), NIL, &NIL.replace('-', "")] {
        let mut client = world.dials("").await;
        client.says(&json!({"id": 1, "connect": {"token": token(&json!({"sub": id}))}}).to_string()).await;
        assert_eq!(client.hears_close().await, (3500, "invalid token".to_owned()), "{id:?}");
        let mut alice = world.centrifugo("alice").await;
        let refused = alice.asks("subscribe", json!({"channel": format!("status:{id}")})).await;
        assert_eq!(refused["error"]["code"], 107, "{id:?}");
        let mut device = Device::connects(&world, "nobody").await;
        assert_eq!(device.code("login", json!({"SDKAppID": 1, "userID": id, "userSig": "x"})).await, 6017, "{id:?}");
        for (method, body) in [
            ("connections", json!({"user": id})),
            ("disconnect", json!({"user": id})),
            ("block", json!({"user": "alice", "users": [id]})),
            ("block", json!({"user": id, "users": ["alice"]})),
            ("get_presence", json!({"users": [id]})),
            ("update_user_status", json!({"users": [id], "state": "x"})),
            ("get_user_status", json!({"users": [id]})),
        ] {
            assert_eq!(api(&world, method, body).await["error"]["code"], 107, "{method} {id:?}");
        }
    }
    assert!(nakama(&world, NIL).await.is_none(), "the nil user connects");
}

#[actix_web::test]
async fn every_spelling_of_a_uuid_is_the_same_user_at_every_entrance() {
    let world = world();
    let user = UserId::parse(SPELLINGS[0]).unwrap();
    let online = |count: i64| {
        let world = &world;
        async move {
            for spelling in SPELLINGS {
                let presence = api(world, "get_presence", json!({"users": [spelling]})).await;
                let shown = presence["result"]["users"][0]["connections"].as_array().unwrap().len();
                assert_eq!(shown, usize::try_from(count).unwrap(), "{spelling}: {presence}");
            }
        }
    };
    let mut follower = world.hidden("follower").await;
    for spelling in SPELLINGS {
        let person = nakama(&world, spelling).await.unwrap();
        online(1).await;
        let followed = follower.asks_and_hears(json!({"status_follow": {"user_ids": [spelling]}})).await;
        assert_eq!(shown(&followed["status"]["presences"]), ["spelled:"], "{spelling}");
        let mut client = world.centrifugo(spelling).await;
        online(2).await;
        assert_eq!(client.subscribes(&format!("status:{spelling}")).await["statuses"], json!(["", ""]), "{spelling}");
        let mut device = Device::logs_in(&world, spelling).await;
        online(3).await;
        assert_eq!(device.queries(&[spelling]).await[0].1, 1, "{spelling}");
        assert_eq!(api(&world, "disconnect", json!({"user": spelling})).await, json!({"result": {}}));
        drop((person, client, device));
        until_gone(&world, user).await;
        follower.asks_and_hears(json!({"status_unfollow": {"user_ids": [spelling]}})).await;
    }
}

async fn until_gone(world: &World, user: UserId) {
    let gone = async {
        while !world.components.engine.online(None, vec![user]).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(crate::world::PATIENCE, gone).await.expect("the user stays");
}
