//! Commands and replies as JSON in text frames, one command per line.
//!
//! The decoder accepts keys in any order, treats `null` as absent, ignores unknown fields, and accepts several commands in one
//! message with any white space between them. The encoder writes compact JSON without a line break and without fields that are
//! zero, as Centrifugo does.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::code::Code;
use super::message::{ClientCommand, CommandReply, Method, Unreadable};
use super::status::json_string;
use super::{MAX_COMMANDS, Wire};
use crate::outbox::{Encoding, Frame};
use crate::session::protocol::Incoming;

/// The protocol in JSON.
pub(super) struct Json;

impl Wire for Json {
    const ENCODING: Encoding = Encoding::CentrifugoJson;

    fn read(incoming: Incoming<'_>) -> Vec<Result<ClientCommand, Unreadable>> {
        match incoming {
            Incoming::Text(text) => read(text.as_bytes()),
            // Some clients send JSON in binary frames.
            Incoming::Binary(bytes) => read(bytes),
        }
    }

    fn reply(id: u32, answer: &CommandReply) -> Frame {
        let text = match answer {
            CommandReply::Error(code) => written(id, "error", &Error::from(*code)),
            CommandReply::Connect { client, version, ttl, ping } => {
                let (expires, pong) = (ttl.map(|_| true), ping.map(|_| true));
                written(id, "connect", &Connected { client, version, expires, ttl: *ttl, ping: *ping, pong })
            }
            CommandReply::Subscribe { data } => written(id, "subscribe", &Subscribed { data: raw(data) }),
            CommandReply::Unsubscribe => written(id, "unsubscribe", &Empty {}),
            CommandReply::Presence(clients) => {
                let presence = clients.iter().map(|client| {
                    let info = Info {
                        user: &client.user,
                        client: &client.client,
                        conn_info: client.conn_info.as_deref().and_then(raw),
                    };
                    (client.client.as_str(), info)
                });
                written(id, "presence", &Presence { presence: presence.collect() })
            }
            CommandReply::PresenceStats { clients, users } => {
                written(id, "presence_stats", &Stats { num_clients: *clients, num_users: *users })
            }
            CommandReply::Rpc => written(id, "rpc", &Empty {}),
            CommandReply::Refresh { ttl } => {
                written(id, "refresh", &Refreshed { expires: ttl.map(|_| true), ttl: *ttl })
            }
        };
        Frame::text(&text)
    }

    fn publication(channel: &str, data: &str) -> Frame {
        let channel = json_string(channel);
        Frame::text(&format!(r#"{{"push":{{"channel":{channel},"pub":{{"data":{data}}}}}}}"#))
    }

    fn ping() -> Frame {
        Frame::text("{}")
    }
}

fn read(bytes: &[u8]) -> Vec<Result<ClientCommand, Unreadable>> {
    let commands = serde_json::Deserializer::from_slice(bytes).into_iter::<Object<JsonCommand<'_>>>();
    // Decoding ends at the first command that cannot be decoded.
    commands
        .map(|command| command.map(|Object(command)| ClientCommand::from(command)).map_err(|_| Unreadable))
        .take(MAX_COMMANDS + 1)
        .collect()
}

/// A message that must be an object, because serde also accepts lists for structs.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_map(Fields(PhantomData)).map(Object)
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct JsonCommand<'a> {
    id: Option<u32>,
    connect: Option<Object<WithToken>>,
    ping: Option<IgnoredAny>,
    subscribe: Option<Object<WithChannel>>,
    unsubscribe: Option<Object<WithChannel>>,
    publish: Option<IgnoredAny>,
    presence: Option<Object<WithChannel>>,
    presence_stats: Option<Object<WithChannel>>,
    history: Option<IgnoredAny>,
    #[serde(borrow)]
    rpc: Option<Object<Rpc<'a>>>,
    send: Option<IgnoredAny>,
    refresh: Option<Object<WithToken>>,
    sub_refresh: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WithToken {
    token: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct WithChannel {
    channel: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Rpc<'a> {
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    method: Option<String>,
}

impl From<JsonCommand<'_>> for ClientCommand {
    /// If there are several methods, the first in Centrifugo's order counts.
    fn from(command: JsonCommand<'_>) -> Self {
        let token = |Object(body): Object<WithToken>| body.token.unwrap_or_default();
        let channel = |Object(body): Object<WithChannel>| body.channel.unwrap_or_default();
        let rpc = |Object(rpc): Object<Rpc<'_>>| Method::Rpc {
            method: rpc.method.unwrap_or_default(),
            data: rpc.data.map_or_else(Vec::new, |data| data.get().as_bytes().to_vec()),
        };
        let method = None
            .or(command.connect.map(|body| Method::Connect { token: token(body) }))
            .or(command.ping.map(|_| Method::Ping))
            .or(command.subscribe.map(|body| Method::Subscribe { channel: channel(body) }))
            .or(command.unsubscribe.map(|body| Method::Unsubscribe { channel: channel(body) }))
            .or(command.publish.map(|_| Method::Publish))
            .or(command.presence.map(|body| Method::Presence { channel: channel(body) }))
            .or(command.presence_stats.map(|body| Method::PresenceStats { channel: channel(body) }))
            .or(command.history.map(|_| Method::History))
            .or(command.rpc.map(rpc))
            .or(command.send.map(|_| Method::Send))
            .or(command.refresh.map(|body| Method::Refresh { token: token(body) }))
            .or(command.sub_refresh.map(|_| Method::SubRefresh));
        Self { id: command.id.unwrap_or(0), method }
    }
}

/// `{"id":…,"name":{…}}`.
fn written(id: u32, name: &str, body: &impl Serialize) -> String {
    let body = serde_json::to_string(body).expect("these types always serialize");
    format!(r#"{{"id":{id},"{name}":{body}}}"#)
}

/// JSON that is embedded unchanged.
fn raw(json: &str) -> Option<&RawValue> {
    serde_json::from_str(json).ok()
}

#[derive(Serialize)]
struct Empty {}

#[derive(Serialize)]
struct Error {
    code: u32,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    temporary: Option<bool>,
}

impl From<Code> for Error {
    fn from(code: Code) -> Self {
        Self { code: code as u32, message: code.message(), temporary: code.is_temporary().then_some(true) }
    }
}

#[derive(Serialize)]
struct Connected<'a> {
    client: &'a str,
    version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ping: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pong: Option<bool>,
}

#[derive(Serialize)]
struct Subscribed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Presence<'a> {
    presence: BTreeMap<&'a str, Info<'a>>,
}

#[derive(Serialize)]
struct Info<'a> {
    user: &'a str,
    client: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    conn_info: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Stats {
    num_clients: u32,
    num_users: u32,
}

#[derive(Serialize)]
struct Refreshed {
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u32>,
}
