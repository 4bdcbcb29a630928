//! What the parts do together, seen from real sockets.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use actix_codec::Framed;
use awc::BoxedSocket;
use awc::ws::{Codec, Frame, Message};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};

use super::Parts;
use crate::auth::token::Vars;
use crate::clock::Clock;
use crate::config::{Overrides, StoreKind, load};
use crate::presence::id::{UserId, Username};
use crate::presence::last_seen::Activity;
use crate::presence::member_record::{LoginState, NodeContext, RelationChange};
use crate::presence::time::Timestamp;
use crate::store::account::{Account, LoginKey};
use crate::store::redis::tests::OnRedis;

type Socket = Framed<BoxedSocket, Codec>;

fn start() -> (Parts, actix_test::TestServer) {
    let mut config = load(&Overrides::default(), HashMap::new()).unwrap();
    config.store.kind = StoreKind::Memory;
    let parts = Parts::assemble(&config, &Clock::system()).unwrap();
    let served = parts.served.clone();
    let server = actix_test::start(move || {
        let served = served.clone();
        actix_web::App::new().configure(move |config| served.configure(config))
    });
    (parts, server)
}

async fn connect(parts: &Parts, server: &actix_test::TestServer, name: &str) -> Socket {
    let auth = &parts.served.nakama.auth;
    let token = auth.issue(UserId::from_name(name), &Username::new(name).unwrap(), Vars::new()).session;
    let client = awc::Client::builder().max_http_version(actix_web::http::Version::HTTP_11).finish();
    let path = server.url(&format!("/ws?token={token}&status=true"));
    let (_, mut socket) = client.ws(path).connect().await.unwrap();
    assert!(hears(&mut socket).await["status_presence_event"].is_object());
    socket
}

async fn says(socket: &mut Socket, message: Value) {
    socket.send(Message::Text(message.to_string().into())).await.unwrap();
}

async fn hears(socket: &mut Socket) -> Value {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(20), socket.next()).await;
        match next.expect("heard nothing").expect("the connection ended").unwrap() {
            Frame::Text(text) => return serde_json::from_slice(&text).unwrap(),
            Frame::Close(reason) => panic!("closed: {reason:?}"),
            _ => {}
        }
    }
}

/// Statuses by session, as the client pieces them together.
fn believe(view: &mut BTreeMap<String, String>, event: &Value) {
    let of = |presence: &Value, field: &str| presence[field].as_str().unwrap().to_owned();
    for leave in event["status_presence_event"]["leaves"].as_array().unwrap() {
        view.remove(&of(leave, "session_id"));
    }
    for join in event["status_presence_event"]["joins"].as_array().unwrap() {
        view.insert(of(join, "session_id"), of(join, "status"));
    }
}

#[actix_web::test]
async fn sessions_get_over_user_actors_that_panic_while_they_work() {
    const UPDATES: usize = 300;
    let (parts, server) = start();
    let mut alice = connect(&parts, &server, "alice").await;
    let mut bob = connect(&parts, &server, "bob").await;
    let bob_id = UserId::from_name("bob");
    says(&mut alice, json!({"cid": "f", "status_follow": {"user_ids": [bob_id.to_string()]}})).await;
    let reply = hears(&mut alice).await;
    let presences = reply["status"]["presences"].clone();
    let mut view = BTreeMap::new();
    believe(&mut view, &json!({"status_presence_event": {"joins": presences, "leaves": []}}));
    assert_eq!(view.values().collect::<Vec<_>>(), [""]);
    let mut answered = 0;
    for round in 0..UPDATES {
        says(&mut bob, json!({"cid": round.to_string(), "status_update": {"status": round.to_string()}})).await;
        if round % 30 == 10 {
            parts.engine.poison(bob_id);
        }
        // Some updates are under way at once; every one is answered, in order, once.
        while round - answered >= 5 {
            let frame = hears(&mut bob).await;
            if frame["cid"].is_string() {
                assert_eq!(frame["cid"], answered.to_string().as_str(), "{frame}");
                answered += 1;
            }
        }
    }
    let last = (UPDATES - 1).to_string();
    while view.values().next() != Some(&last) {
        believe(&mut view, &hears(&mut alice).await);
        assert!(view.len() <= 1, "one device is one presence: {view:?}");
    }
    assert_eq!(parts.metrics.engine().recovered.get(), 10);
    assert_eq!(parts.metrics.connections(), 2, "somebody lost a connection");
    drop(bob);
    while !view.is_empty() {
        believe(&mut view, &hears(&mut alice).await);
    }
    parts.engine.stop();
}

#[actix_web::test]
async fn servers_with_a_redis_keep_the_same() {
    let shared = OnRedis::start(1);
    let assemble = || Parts::assemble(&shared.config, &Clock::system()).unwrap();
    let (one, two) = (assemble(), assemble());
    let now = Clock::system().time_of_day();
    let alice = Account::new(Username::new("alice").unwrap(), LoginKey::Custom("alice".into()), None, now);
    one.store.create(alice.clone()).await.unwrap();
    assert_eq!(two.store.find(LoginKey::Custom("alice".into())).await.unwrap().as_ref(), Some(&alice));
    let lifetime = Duration::from_secs(3600);
    one.relations
        .change(
            alice.id,
            RelationChange::Arrive {
                now,
                lifetime,
                node_context: NodeContext::default(),
                last_seen: Timestamp::default(),
            },
        )
        .await
        .unwrap();
    assert_eq!(two.relations.login_states(vec![alice.id]).await.unwrap(), [LoginState::In]);
    let [first, second] = [one.last_seen.clone().unwrap(), two.last_seen.clone().unwrap()];
    first.note(&mut std::iter::once((alice.id, Activity::online(now)))).unwrap();
    first.close().await.unwrap();
    let online = second.read(vec![alice.id]).await.unwrap()[0].online;
    assert_eq!(online, Timestamp::from_secs(now.as_secs()));
    one.engine.stop();
    two.engine.stop();
}
