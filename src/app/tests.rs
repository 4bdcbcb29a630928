//! The components together, tested over real sockets and a real Redis.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use actix_codec::Framed;
use awc::BoxedSocket;
use awc::ws::{Codec, Frame, Message};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};

use super::Components;
use crate::api::token_authority::TokenRejection;
use crate::auth::token::Vars;
use crate::clock::Clock;
use crate::config::{Overrides, StoreKind, load};
use crate::presence::id::{UserId, Username};
use crate::presence::last_seen::Activity;
use crate::presence::member_record::{LoginState, NodeContext, RelationChange};
use crate::presence::time::Timestamp;
use crate::store::accounts::{Account, LoginKey};
use crate::store::redis::tests::OnRedis;

type Socket = Framed<BoxedSocket, Codec>;

fn start() -> (Components, actix_test::TestServer) {
    let mut config = load(&Overrides::default(), HashMap::new()).unwrap();
    config.store.kind = StoreKind::Memory;
    let components = Components::assemble(&config, &Clock::system()).unwrap();
    let endpoints = components.endpoints.clone();
    let server = actix_test::start(move || {
        let endpoints = endpoints.clone();
        actix_web::App::new().configure(move |config| endpoints.configure(config))
    });
    (components, server)
}

async fn connect(components: &Components, server: &actix_test::TestServer, name: &str) -> Socket {
    let auth = &components.endpoints.nakama.auth;
    let token = auth.issue(UserId::from_name(name), &Username::new(name).unwrap(), Vars::new()).session;
    let client = awc::Client::builder().max_http_version(actix_web::http::Version::HTTP_11).finish();
    let path = server.url(&format!("/ws?token={token}&status=true"));
    let (_, mut socket) = client.ws(path).connect().await.unwrap();
    assert!(receive(&mut socket).await["status_presence_event"].is_object());
    socket
}

async fn send(socket: &mut Socket, message: Value) {
    socket.send(Message::Text(message.to_string().into())).await.unwrap();
}

async fn receive(socket: &mut Socket) -> Value {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(20), socket.next()).await;
        match next.expect("no frame in time").expect("the connection ended").unwrap() {
            Frame::Text(text) => return serde_json::from_slice(&text).unwrap(),
            Frame::Close(reason) => panic!("closed: {reason:?}"),
            _ => {}
        }
    }
}

/// Applies an event to the statuses by session, as a client does.
fn apply(view: &mut BTreeMap<String, String>, event: &Value) {
    let of = |presence: &Value, field: &str| presence[field].as_str().unwrap().to_owned();
    for leave in event["status_presence_event"]["leaves"].as_array().unwrap() {
        view.remove(&of(leave, "session_id"));
    }
    for join in event["status_presence_event"]["joins"].as_array().unwrap() {
        view.insert(of(join, "session_id"), of(join, "status"));
    }
}

#[actix_web::test]
async fn sessions_survive_panics_of_user_actors() {
    const UPDATES: usize = 300;
    let (components, server) = start();
    let mut alice = connect(&components, &server, "alice").await;
    let mut bob = connect(&components, &server, "bob").await;
    let bob_id = UserId::from_name("bob");
    send(&mut alice, json!({"cid": "f", "status_follow": {"user_ids": [bob_id.to_string()]}})).await;
    let reply = receive(&mut alice).await;
    let presences = reply["status"]["presences"].clone();
    let mut view = BTreeMap::new();
    apply(&mut view, &json!({"status_presence_event": {"joins": presences, "leaves": []}}));
    assert_eq!(view.values().collect::<Vec<_>>(), [""]);
    let mut answered = 0;
    for round in 0..UPDATES {
        send(&mut bob, json!({"cid": round.to_string(), "status_update": {"status": round.to_string()}})).await;
        if round % 30 == 10 {
            components.engine.inject_panic(bob_id);
        }
        // Up to five updates wait for their reply. Each gets one, in order.
        while round - answered >= 5 {
            let frame = receive(&mut bob).await;
            if frame["cid"].is_string() {
                assert_eq!(frame["cid"], answered.to_string().as_str(), "{frame}");
                answered += 1;
            }
        }
    }
    let last = (UPDATES - 1).to_string();
    while view.values().next() != Some(&last) {
        apply(&mut view, &receive(&mut alice).await);
        assert!(view.len() <= 1, "one device is one presence: {view:?}");
    }
    assert_eq!(components.metrics.engine().recovered.get(), 10);
    assert_eq!(components.metrics.connections(), 2, "a connection was lost");
    drop(bob);
    while !view.is_empty() {
        apply(&mut view, &receive(&mut alice).await);
    }
    components.engine.stop();
}

#[actix_web::test]
async fn servers_on_one_redis_share_their_stores() {
    let shared = OnRedis::start(1);
    let assemble = || Components::assemble(&shared.config, &Clock::system()).unwrap();
    let (one, two) = (assemble(), assemble());
    let now = Clock::system().time_of_day();
    let alice = Account::new(Username::new("alice").unwrap(), LoginKey::Custom("alice".into()), None, now);
    one.stores.accounts.create(alice.clone()).await.unwrap();
    assert_eq!(two.stores.accounts.find(LoginKey::Custom("alice".into())).await.unwrap().as_ref(), Some(&alice));
    let [issuer, other] = [&one, &two].map(|node| node.endpoints.nakama.auth.clone());
    let tokens = issuer.issue(alice.id, &alice.username, Vars::new());
    let session = other.verify_session(&tokens.session).await.unwrap();
    let refresh = other.verify_refresh(&tokens.refresh).await.unwrap();
    issuer.revoke(alice.id, Some(&session), Some(&refresh)).await.unwrap();
    assert_eq!(other.verify_session(&tokens.session).await, Err(TokenRejection::Invalid));
    assert_eq!(other.verify_refresh(&tokens.refresh).await, Err(TokenRejection::Invalid));
    let lifetime = Duration::from_secs(3600);
    one.stores
        .relations
        .change_member(
            alice.id,
            RelationChange::LogIn {
                now,
                lifetime,
                node_context: NodeContext::default(),
                last_seen: Timestamp::default(),
            },
        )
        .await
        .unwrap();
    assert_eq!(two.stores.relations.login_states(vec![alice.id]).await.unwrap(), [LoginState::In]);
    let [first, second] = [one.stores.last_seen.clone().unwrap(), two.stores.last_seen.clone().unwrap()];
    first.note(&mut std::iter::once((alice.id, Activity::online(now)))).unwrap();
    first.close().await.unwrap();
    let online = second.read(vec![alice.id]).await.unwrap()[0].online;
    assert_eq!(online, Timestamp::from_secs(now.as_secs()));
    one.engine.stop();
    two.engine.stop();
}
