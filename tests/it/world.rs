//! A server of its own for each test, and people who talk to it in JSON.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use actix_codec::Framed;
use actix_web::web::Bytes;
use awc::BoxedSocket;
use awc::ws::{self, Codec, Frame, Message};
use futures_util::{SinkExt, StreamExt};
use hereabouts::app::Components;
use hereabouts::auth::token::Vars;
use hereabouts::clock::Clock;
use hereabouts::config::{Config, Overrides, StoreKind, load};
use hereabouts::presence::id::{UserId, Username};
use hereabouts::session::connection_listener::ConnectionListener;
use serde_json::{Value, json};

use crate::serving::Serving;

/// How long anything may take before a test fails: generous, because it is never reached when all is well.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A running server, and the people who connect to it.
pub struct World {
    pub server: Serving,
    pub clock: Clock,
    pub components: Components,
}

/// The configuration of a test: defaults, accounts in memory.
pub fn config() -> Config {
    let mut config = load(&Overrides::default(), HashMap::new()).unwrap();
    config.store.kind = StoreKind::Memory;
    config.engine.shards = 2;
    config
}

impl World {
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::at(Clock::system(), change)
    }

    /// Starts a server with this clock.
    pub fn at(clock: Clock, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = config();
        change(&mut config);
        Self::of(config, clock, None)
    }

    /// Starts a server that tells this listener of its clients.
    pub fn of(config: Config, clock: Clock, listener: Option<Arc<dyn ConnectionListener>>) -> Self {
        let (server, components) = Serving::app(config, &clock, listener);
        Self { server, clock, components }
    }

    /// Starts the same server on actix's test server, in place of its own listener.
    pub fn on_actix_test_server() -> Self {
        let clock = Clock::system();
        let (server, components) = Serving::actix_test_server(&config(), &clock);
        Self { server, clock, components }
    }

    /// Until that many users are in memory.
    pub async fn until_users(&self, count: i64) {
        self.until(count, || self.components.metrics.engine().users.get()).await;
    }

    /// Until that many connections are open.
    pub async fn until_connections(&self, count: i64) {
        self.until(count, || self.components.metrics.connections()).await;
    }

    async fn until(&self, count: i64, counted: impl Fn() -> i64) {
        let reached = async {
            while counted() != count {
                tokio::task::yield_now().await;
            }
        };
        let reached = tokio::time::timeout(PATIENCE, reached).await;
        assert!(reached.is_ok(), "there are {} instead of {count}", counted());
    }

    /// A session token of this name, as a login would give it.
    pub fn token(&self, name: &str) -> String {
        self.components.endpoints.nakama.auth.issue(user(name), &Username::new(name).unwrap(), Vars::new()).session
    }

    /// A connection that is visible from the start, once it has heard of itself.
    pub async fn online(&self, name: &str) -> Person {
        let mut person = self.connects(name, "status=true").await;
        assert_eq!(
            person.hears().await["status_presence_event"]["joins"][0]["status"],
            "",
            "{name} should hear of itself"
        );
        person
    }

    /// A connection without a status.
    pub async fn hidden(&self, name: &str) -> Person {
        self.connects(name, "status=false").await
    }

    pub async fn connects(&self, name: &str, query: &str) -> Person {
        self.connects_at(name, &format!("/ws?token={}&{query}", self.token(name))).await
    }

    pub async fn connects_at(&self, name: &str, path: &str) -> Person {
        let client = awc::Client::builder().max_http_version(actix_web::http::Version::HTTP_11).finish();
        let opened = client.ws(self.server.url(path)).max_frame_size(1 << 20).connect().await;
        let (_, socket) = opened.unwrap_or_else(|error| panic!("{name} cannot connect: {error}"));
        Person::on(name, socket)
    }
}

/// The user of a name.
pub fn user(name: &str) -> UserId {
    UserId::from_name(name)
}

/// Somebody on one connection.
pub struct Person {
    pub name: String,
    pub socket: Framed<BoxedSocket, Codec>,
    /// Events that came before an answer that was waited for.
    events: VecDeque<Value>,
    requests: u32,
}

impl Person {
    pub fn on(name: &str, socket: Framed<BoxedSocket, Codec>) -> Self {
        Self { name: name.to_owned(), socket, events: VecDeque::new(), requests: 0 }
    }

    pub fn id(&self) -> String {
        user(&self.name).to_string()
    }

    pub async fn sends(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    pub async fn says(&mut self, text: &str) {
        self.sends(Message::Text(text.to_owned().into())).await;
    }

    /// Sends a request and returns its cid.
    pub async fn asks(&mut self, message: Value) -> String {
        self.requests += 1;
        let cid = self.requests.to_string();
        let mut envelope = message;
        envelope["cid"] = cid.clone().into();
        self.says(&envelope.to_string()).await;
        cid
    }

    /// Sends a request and returns the answer; events that come before it are kept for [`Person::sees`].
    pub async fn asks_and_hears(&mut self, message: Value) -> Value {
        let cid = self.asks(message).await;
        loop {
            let frame = self.hears().await;
            if frame["status_presence_event"].is_object() {
                self.events.push_back(frame);
                continue;
            }
            assert_eq!(frame["cid"], cid.as_str(), "not the answer: {frame}");
            return frame;
        }
    }

    /// The next frame that is no ping or pong.
    pub async fn hears_frame(&mut self) -> Frame {
        loop {
            let next = actix_web::rt::time::timeout(PATIENCE, self.socket.next()).await;
            let next = next.unwrap_or_else(|_| panic!("{} heard nothing for {PATIENCE:?}", self.name));
            match next.unwrap_or_else(|| panic!("{}'s connection ended without a close", self.name)).unwrap() {
                Frame::Ping(payload) => self.sends(Message::Pong(payload)).await,
                Frame::Pong(_) => {}
                frame => return frame,
            }
        }
    }

    /// The next text, as JSON.
    pub async fn hears(&mut self) -> Value {
        match self.hears_frame().await {
            Frame::Text(text) => serde_json::from_slice(&text).unwrap(),
            other => panic!("{} heard no text but {other:?}", self.name),
        }
    }

    pub async fn hears_binary(&mut self) -> Bytes {
        match self.hears_frame().await {
            Frame::Binary(bytes) => bytes,
            other => panic!("{} heard no binary but {other:?}", self.name),
        }
    }

    /// The next event: (names and statuses that joined, that left).
    pub async fn sees(&mut self) -> (Vec<String>, Vec<String>) {
        let frame = match self.events.pop_front() {
            Some(frame) => frame,
            None => self.hears().await,
        };
        let event = &frame["status_presence_event"];
        assert!(event.is_object(), "{} heard no event but {frame}", self.name);
        (shown(&event["joins"]), shown(&event["leaves"]))
    }

    /// Nothing but the answer to a ping is under way to this person.
    pub async fn hears_nothing_more(&mut self) {
        let answer = self.asks_and_hears(json!({"ping": {}})).await;
        assert!(answer["pong"].is_object(), "{answer}");
        assert!(self.events.is_empty(), "{} heard {:?}", self.name, self.events);
    }

    pub async fn follows(&mut self, others: &[&Person]) -> Value {
        let ids: Vec<String> = others.iter().map(|other| other.id()).collect();
        self.asks_and_hears(json!({"status_follow": {"user_ids": ids}})).await
    }

    pub async fn sets(&mut self, status: Option<&str>) {
        let answer = self.asks_and_hears(json!({"status_update": {"status": status}})).await;
        assert_eq!(answer.as_object().map(serde_json::Map::len), Some(1), "no bare acknowledgement: {answer}");
    }

    /// The close frame: code and reason.
    pub async fn hears_close(&mut self) -> (u16, String) {
        match self.hears_frame().await {
            Frame::Close(Some(ws::CloseReason { code, description })) => {
                (u16::from(code), description.unwrap_or_default())
            }
            other => panic!("{} heard no close but {other:?}", self.name),
        }
    }
}

/// `name:status` of each, sorted.
pub fn shown(presences: &Value) -> Vec<String> {
    let presences = presences.as_array().unwrap_or_else(|| panic!("no list: {presences}"));
    let text =
        |presence: &Value, field: &str| presence[field].as_str().map(str::to_owned).unwrap_or_else(|| "?".into());
    let mut shown: Vec<String> = presences
        .iter()
        .map(|presence| format!("{}:{}", text(presence, "username"), text(presence, "status")))
        .collect();
    shown.sort();
    shown
}

/// `sees()` in words: what joined, what left.
pub fn change(joins: &[&str], leaves: &[&str]) -> (Vec<String>, Vec<String>) {
    let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    (owned(joins), owned(leaves))
}
