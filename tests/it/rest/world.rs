//! A server with a clock set by hand, and requests that read as what they ask.

use std::collections::HashMap;

use actix_web::App;
use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use awc::ClientRequest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hereabouts::app::Components;
use hereabouts::clock::Clock;
use hereabouts::config::{Config, Overrides, StoreKind, load};
use hereabouts::presence::time::Timestamp;
use serde_json::{Value, json};

pub struct World {
    pub server: actix_test::TestServer,
    pub clock: Clock,
    pub parts: Components,
}

impl World {
    pub fn start() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = load(&Overrides::default(), HashMap::new()).unwrap();
        config.store.kind = StoreKind::Memory;
        config.engine.shards = 1;
        change(&mut config);
        let clock = Clock::manual(Timestamp::from_secs(1_795_220_273));
        let parts = Components::assemble(&config, &clock).unwrap();
        let served = parts.endpoints.clone();
        let server = actix_test::start(move || {
            let served = served.clone();
            App::new().configure(move |config| served.configure(config))
        });
        Self { server, clock, parts }
    }

    pub fn request(&self, method: Method, path: &str) -> Asking {
        Asking { request: self.server.request(method, self.server.url(path)), body: Vec::new() }
    }

    pub fn get(&self, path: &str) -> Asking {
        self.request(Method::GET, path)
    }

    pub fn post(&self, path: &str) -> Asking {
        self.request(Method::POST, path)
    }

    /// Signs in by custom id and returns the answer.
    pub async fn signs_in(&self, id: &str) -> Value {
        self.post("/v2/account/authenticate/custom").key().json(json!({ "id": id })).is(200).await
    }

    /// A session token of a new account.
    pub async fn token(&self, id: &str) -> String {
        self.signs_in(id).await["token"].as_str().unwrap().to_owned()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.parts.engine.stop();
    }
}

/// A request being put together.
pub struct Asking {
    request: ClientRequest,
    body: Vec<u8>,
}

impl Asking {
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.insert_header((name, value));
        self
    }

    /// With the server key.
    pub fn key(self) -> Self {
        let credentials = format!("Basic {}", STANDARD.encode("defaultkey:"));
        self.header("Authorization", &credentials)
    }

    pub fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    pub fn json(self, body: Value) -> Self {
        self.text(&body.to_string())
    }

    pub fn text(self, body: &str) -> Self {
        self.bytes(body.as_bytes())
    }

    pub fn bytes(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    /// Sends it and returns status, headers and the body's text.
    pub async fn sends(self) -> (u16, HeaderMap, String) {
        let mut response = self.request.send_body(self.body).await.unwrap();
        let body = response.body().limit(1 << 20).await.unwrap();
        (response.status().as_u16(), response.headers().clone(), String::from_utf8_lossy(&body).into_owned())
    }

    /// Sends it and returns the status alone.
    pub async fn sends_head(self) -> u16 {
        self.request.send_body(self.body).await.unwrap().status().as_u16()
    }

    /// The answer, which must have this status.
    pub async fn is(self, status: u16) -> Value {
        let (found, _, text) = self.sends().await;
        assert_eq!(found, status, "{text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// The answer must be this error, to the letter.
    pub async fn fails(self, status: u16, code: u8, message: &str) {
        let (found, _, text) = self.sends().await;
        let expected = json!({ "code": code, "message": message });
        let body: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!((found, body), (status, expected));
    }
}

/// What a token says.
pub fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}
