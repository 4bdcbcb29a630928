//! Commands and replies as protobuf in binary frames, each after its length as a varint (package
//! `centrifugal.centrifuge.protocol`).

use prost::Message;

use super::Wire;
use super::message::{Answer, Call, Method, Unreadable};
use crate::outbox::{Encoding, Frame};
use crate::session::protocol::Incoming;

mod wire;

/// The protocol in protobuf.
pub(super) struct Protobuf;

impl Wire for Protobuf {
    const ENCODING: Encoding = Encoding::CentrifugoProtobuf;

    fn read(incoming: Incoming<'_>) -> Vec<Result<Call, Unreadable>> {
        match incoming {
            Incoming::Binary(bytes) => read(bytes),
            Incoming::Text(_) => vec![Err(Unreadable)],
        }
    }

    fn reply(id: u32, answer: &Answer) -> Frame {
        frame(&reply(id, answer))
    }

    fn publication(channel: &str, data: &str) -> Frame {
        let publication = wire::Publication { data: data.as_bytes().to_vec() };
        let push = wire::Push { channel: channel.to_owned(), publication: Some(publication) };
        frame(&wire::Reply { push: Some(push), ..wire::Reply::default() })
    }

    fn ping() -> Frame {
        Frame::binary(&[0])
    }
}

fn frame(reply: &wire::Reply) -> Frame {
    Frame::binary(&reply.encode_length_delimited_to_vec())
}

fn read(mut bytes: &[u8]) -> Vec<Result<Call, Unreadable>> {
    let mut calls = Vec::new();
    while !bytes.is_empty() {
        // Takes the bytes from the front.
        let command = wire::Command::decode_length_delimited(&mut bytes);
        let failed = command.is_err();
        calls.push(command.map(Call::from).map_err(|_| Unreadable));
        if failed {
            break;
        }
    }
    calls
}

impl From<wire::Command> for Call {
    /// Of several methods the first in Centrifugo's order counts.
    fn from(command: wire::Command) -> Self {
        let method = None
            .or(command.connect.map(|body| Method::Connect { token: body.token }))
            .or(command.ping.map(|_| Method::Ping))
            .or(command.subscribe.map(|body| Method::Subscribe { channel: body.channel }))
            .or(command.unsubscribe.map(|body| Method::Unsubscribe { channel: body.channel }))
            .or(command.publish.map(|_| Method::Publish))
            .or(command.presence.map(|body| Method::Presence { channel: body.channel }))
            .or(command.presence_stats.map(|body| Method::PresenceStats { channel: body.channel }))
            .or(command.history.map(|_| Method::History))
            .or(command.rpc.map(|body| Method::Rpc { method: body.method, data: body.data }))
            .or(command.send.map(|_| Method::Send))
            .or(command.refresh.map(|body| Method::Refresh { token: body.token }))
            .or(command.sub_refresh.map(|_| Method::SubRefresh));
        Self { id: command.id, method }
    }
}

fn reply(id: u32, answer: &Answer) -> wire::Reply {
    let empty = wire::Reply { id, ..wire::Reply::default() };
    match answer {
        Answer::Error(code) => {
            let (code, message, temporary) = (*code as u32, code.message().to_owned(), code.is_temporary());
            wire::Reply { error: Some(wire::Error { code, message, temporary }), ..empty }
        }
        Answer::Connect { client, version, ttl, ping } => {
            let connect = wire::ConnectResult {
                client: client.clone(),
                version: (*version).to_owned(),
                expires: ttl.is_some(),
                ttl: ttl.unwrap_or(0),
                ping: ping.unwrap_or(0),
                pong: ping.is_some(),
            };
            wire::Reply { connect: Some(connect), ..empty }
        }
        Answer::Subscribe { data } => {
            wire::Reply { subscribe: Some(wire::SubscribeResult { data: data.clone().into_bytes() }), ..empty }
        }
        Answer::Unsubscribe => wire::Reply { unsubscribe: Some(wire::Empty {}), ..empty },
        Answer::Presence(clients) => {
            let presence = clients.iter().map(|client| {
                let info = wire::ClientInfo {
                    user: client.user.clone(),
                    client: client.client.clone(),
                    conn_info: client.conn_info.clone().unwrap_or_default().into_bytes(),
                };
                (client.client.clone(), info)
            });
            wire::Reply { presence: Some(wire::PresenceResult { presence: presence.collect() }), ..empty }
        }
        Answer::PresenceStats { clients, users } => {
            let stats = wire::PresenceStatsResult { num_clients: *clients, num_users: *users };
            wire::Reply { presence_stats: Some(stats), ..empty }
        }
        Answer::Rpc => wire::Reply { rpc: Some(wire::Empty {}), ..empty },
        Answer::Refresh { ttl } => {
            let refresh = wire::RefreshResult { expires: ttl.is_some(), ttl: ttl.unwrap_or(0) };
            wire::Reply { refresh: Some(refresh), ..empty }
        }
    }
}
