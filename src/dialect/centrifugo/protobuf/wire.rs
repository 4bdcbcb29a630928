//! The messages of `client.proto` that this server reads or writes, with their field numbers.

use std::collections::BTreeMap;

use prost::Message;

/// `Command`. Of requests that are only refused no field is read.
#[derive(Clone, PartialEq, Message)]
pub struct Command {
    #[prost(uint32, tag = "1")]
    pub id: u32,
    #[prost(message, optional, tag = "4")]
    pub connect: Option<WithToken>,
    #[prost(message, optional, tag = "5")]
    pub subscribe: Option<WithChannel>,
    #[prost(message, optional, tag = "6")]
    pub unsubscribe: Option<WithChannel>,
    #[prost(message, optional, tag = "7")]
    pub publish: Option<Empty>,
    #[prost(message, optional, tag = "8")]
    pub presence: Option<WithChannel>,
    #[prost(message, optional, tag = "9")]
    pub presence_stats: Option<WithChannel>,
    #[prost(message, optional, tag = "10")]
    pub history: Option<Empty>,
    #[prost(message, optional, tag = "11")]
    pub ping: Option<Empty>,
    #[prost(message, optional, tag = "12")]
    pub send: Option<Empty>,
    #[prost(message, optional, tag = "13")]
    pub rpc: Option<RpcRequest>,
    #[prost(message, optional, tag = "14")]
    pub refresh: Option<WithToken>,
    #[prost(message, optional, tag = "15")]
    pub sub_refresh: Option<Empty>,
}

/// A message of which no field matters.
#[derive(Clone, PartialEq, Message)]
pub struct Empty {}

/// `ConnectRequest` and `RefreshRequest`, as far as they are read.
#[derive(Clone, PartialEq, Message)]
pub struct WithToken {
    #[prost(string, tag = "1")]
    pub token: String,
}

/// `SubscribeRequest`, `UnsubscribeRequest`, `PresenceRequest` and `PresenceStatsRequest`, as far as they are read.
#[derive(Clone, PartialEq, Message)]
pub struct WithChannel {
    #[prost(string, tag = "1")]
    pub channel: String,
}

/// `RPCRequest`.
#[derive(Clone, PartialEq, Message)]
pub struct RpcRequest {
    #[prost(bytes = "vec", tag = "1")]
    pub data: Vec<u8>,
    #[prost(string, tag = "2")]
    pub method: String,
}

/// `Reply`.
#[derive(Clone, PartialEq, Message)]
pub struct Reply {
    #[prost(uint32, tag = "1")]
    pub id: u32,
    #[prost(message, optional, tag = "2")]
    pub error: Option<Error>,
    #[prost(message, optional, tag = "4")]
    pub push: Option<Push>,
    #[prost(message, optional, tag = "5")]
    pub connect: Option<ConnectResult>,
    #[prost(message, optional, tag = "6")]
    pub subscribe: Option<SubscribeResult>,
    #[prost(message, optional, tag = "7")]
    pub unsubscribe: Option<Empty>,
    #[prost(message, optional, tag = "9")]
    pub presence: Option<PresenceResult>,
    #[prost(message, optional, tag = "10")]
    pub presence_stats: Option<PresenceStatsResult>,
    #[prost(message, optional, tag = "13")]
    pub rpc: Option<Empty>,
    #[prost(message, optional, tag = "14")]
    pub refresh: Option<RefreshResult>,
}

/// `Error`.
#[derive(Clone, PartialEq, Message)]
pub struct Error {
    #[prost(uint32, tag = "1")]
    pub code: u32,
    #[prost(string, tag = "2")]
    pub message: String,
    #[prost(bool, tag = "3")]
    pub temporary: bool,
}

/// `Push`.
#[derive(Clone, PartialEq, Message)]
pub struct Push {
    #[prost(string, tag = "2")]
    pub channel: String,
    #[prost(message, optional, tag = "4")]
    pub publication: Option<Publication>,
}

/// `Publication`.
#[derive(Clone, PartialEq, Message)]
pub struct Publication {
    #[prost(bytes = "vec", tag = "4")]
    pub data: Vec<u8>,
}

/// `ConnectResult`.
#[derive(Clone, PartialEq, Message)]
pub struct ConnectResult {
    #[prost(string, tag = "1")]
    pub client: String,
    #[prost(string, tag = "2")]
    pub version: String,
    #[prost(bool, tag = "3")]
    pub expires: bool,
    #[prost(uint32, tag = "4")]
    pub ttl: u32,
    #[prost(uint32, tag = "7")]
    pub ping: u32,
    #[prost(bool, tag = "8")]
    pub pong: bool,
}

/// `SubscribeResult`.
#[derive(Clone, PartialEq, Message)]
pub struct SubscribeResult {
    #[prost(bytes = "vec", tag = "11")]
    pub data: Vec<u8>,
}

/// `PresenceResult`.
#[derive(Clone, PartialEq, Message)]
pub struct PresenceResult {
    #[prost(btree_map = "string, message", tag = "1")]
    pub presence: BTreeMap<String, ClientInfo>,
}

/// `ClientInfo`.
#[derive(Clone, PartialEq, Message)]
pub struct ClientInfo {
    #[prost(string, tag = "1")]
    pub user: String,
    #[prost(string, tag = "2")]
    pub client: String,
    #[prost(bytes = "vec", tag = "3")]
    pub conn_info: Vec<u8>,
}

/// `PresenceStatsResult`.
#[derive(Clone, PartialEq, Message)]
pub struct PresenceStatsResult {
    #[prost(uint32, tag = "1")]
    pub num_clients: u32,
    #[prost(uint32, tag = "2")]
    pub num_users: u32,
}

/// `RefreshResult`.
#[derive(Clone, PartialEq, Message)]
pub struct RefreshResult {
    #[prost(bool, tag = "3")]
    pub expires: bool,
    #[prost(uint32, tag = "4")]
    pub ttl: u32,
}
