//! A Centrifugo client that writes every command by hand.

use std::collections::VecDeque;

use actix_codec::Framed;
use actix_web::web::Bytes;
use awc::BoxedSocket;
use awc::ws::{CloseReason, Codec, Frame, Message};
use futures_util::{SinkExt, StreamExt};
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::world::{PATIENCE, World};

/// A token of the development key.
pub fn token(claims: &Value) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(b"secret")).unwrap()
}

/// Somebody on one connection, in JSON.
pub struct Client {
    socket: Framed<BoxedSocket, Codec>,
    /// Pushes that came before a reply that was waited for.
    pushes: VecDeque<Value>,
    requests: u32,
}

impl World {
    /// Opens a connection that is not authenticated yet.
    pub async fn dials(&self, query: &str) -> Client {
        let client = awc::Client::builder().max_http_version(actix_web::http::Version::HTTP_11).finish();
        let url = self.server.url(&format!("/connection/websocket?{query}"));
        let (_, socket) = client.ws(url).max_frame_size(1 << 20).connect().await.expect("cannot connect");
        Client { socket, pushes: VecDeque::new(), requests: 0 }
    }

    /// The user of this name, connected.
    pub async fn centrifugo(&self, name: &str) -> Client {
        let mut client = self.dials("").await;
        let reply = client.asks("connect", json!({"token": token(&json!({"sub": name}))})).await;
        assert!(reply["connect"]["client"].is_string(), "{name}: {reply}");
        client
    }
}

impl Client {
    pub async fn says(&mut self, text: &str) {
        self.socket.send(Message::Text(text.to_owned().into())).await.unwrap();
    }

    pub async fn says_bytes(&mut self, bytes: &[u8]) {
        self.socket.send(Message::Binary(Bytes::copy_from_slice(bytes))).await.unwrap();
    }

    /// The next frame, whatever it is.
    pub async fn hears_frame(&mut self) -> Frame {
        let next = actix_web::rt::time::timeout(PATIENCE, self.socket.next()).await;
        next.expect("heard nothing").expect("the connection ended without a close").unwrap()
    }

    /// The next text, as JSON.
    pub async fn hears(&mut self) -> Value {
        match self.hears_frame().await {
            Frame::Text(text) => serde_json::from_slice(&text).unwrap(),
            other => panic!("no text but {other:?}"),
        }
    }

    pub async fn hears_bytes(&mut self) -> Bytes {
        match self.hears_frame().await {
            Frame::Binary(bytes) => bytes,
            other => panic!("no binary but {other:?}"),
        }
    }

    /// The close frame: code and reason.
    pub async fn hears_close(&mut self) -> (u16, String) {
        match self.hears_frame().await {
            Frame::Close(Some(CloseReason { code, description })) => (code.into(), description.unwrap_or_default()),
            other => panic!("no close but {other:?}"),
        }
    }

    /// Sends a command and returns its reply; pushes that come before it are kept.
    pub async fn asks(&mut self, method: &str, body: Value) -> Value {
        self.requests += 1;
        self.says(&json!({"id": self.requests, method: body}).to_string()).await;
        loop {
            let frame = self.hears().await;
            if frame["push"].is_object() {
                self.pushes.push_back(frame);
                continue;
            }
            assert_eq!(frame["id"], self.requests, "not the reply: {frame}");
            return frame;
        }
    }

    /// Subscribes and returns what the user shows.
    pub async fn subscribes(&mut self, channel: &str) -> Value {
        self.asks("subscribe", json!({"channel": channel, "flag": 1})).await["subscribe"]["data"].clone()
    }

    pub async fn updates(&mut self, data: Value) -> Value {
        self.asks("rpc", json!({"method": "update_user_status", "data": data})).await
    }

    /// The data of the next publication in this channel.
    pub async fn sees(&mut self, channel: &str) -> Value {
        let frame = match self.pushes.pop_front() {
            Some(frame) => frame,
            None => self.hears().await,
        };
        assert_eq!(frame["push"]["channel"], channel, "{frame}");
        frame["push"]["pub"]["data"].clone()
    }

    /// Nothing but a reply is under way to this client.
    pub async fn hears_nothing_more(&mut self) {
        let reply = self.asks("rpc", json!({"method": "nope"})).await;
        assert_eq!(reply["error"]["code"], 104);
        assert!(self.pushes.is_empty(), "{:?}", self.pushes);
    }
}
