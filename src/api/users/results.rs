//! The results of the methods, as JSON and OpenAPI have them. A value that is zero or empty is left out of the JSON,
//! unless its documentation says that it is always present.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::ConnectionInspection;
use crate::presence::general_status::GeneralStatus;
use crate::presence::last_seen::LastSeen;

/// Success without a value.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmptyResult {}

/// A list of a user, in the order in which people were added.
#[derive(Debug, Serialize, ToSchema)]
pub struct PeopleResult {
    /// Always present.
    pub users: Vec<String>,
}

/// One entry for each user of the request, in the same order.
#[derive(Debug, Serialize, ToSchema)]
pub struct GetUserStatusResult {
    /// Always present.
    pub statuses: Vec<UserStatusBody>,
}

/// What is stored about a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserStatusBody {
    /// Id as the request writes it.
    #[schema(example = "42")]
    pub user: String,
    /// When the user was last active, Unix seconds. Missing means never.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false, example = 1_795_220_273)]
    pub active: u64,
    /// When the user was last online, Unix seconds. Missing means never.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false, example = 1_795_220_273)]
    pub online: u64,
    /// The state that the user gave last.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false, example = "dnd")]
    pub state: String,
}

/// One entry for each user of the request, in the same order.
#[derive(Debug, Serialize, ToSchema)]
pub struct GetPresenceResult {
    /// Always present.
    pub users: Vec<PresenceBody>,
}

/// Everything about a user that other users may know.
#[derive(Debug, Serialize, ToSchema)]
pub struct PresenceBody {
    /// Id as the request writes it.
    #[schema(example = "42")]
    pub user: String,
    /// Whether the user is visible on at least one connection. Always present.
    pub online: bool,
    /// `online`, `offline` (was online, and its connections were lost) or `unlogined` (never was online, or logged
    /// out). Always present.
    #[schema(example = "online")]
    pub general: &'static str,
    /// The visible connections. Always present.
    pub connections: Vec<ConnectionBody>,
    /// When the user was last active, Unix seconds. Missing means never.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    pub active: u64,
    /// When the user was last online, Unix seconds. Missing means never.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    pub last_online: u64,
    /// The state that the user gave last.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub state: String,
}

/// All connections of a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectionsResult {
    /// The connections by id. Always present.
    pub connections: BTreeMap<String, ConnectionBody>,
}

/// One connection.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectionBody {
    /// Id of the connection. In results of `connections` the id is the key instead.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub client: String,
    /// Id of the user, as the request writes it.
    pub user: String,
    /// Username at the time when the connection was opened.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    pub username: String,
    /// Family of protocols that the client speaks: `nakama`, `centrifugo` or `tencent`.
    pub dialect: &'static str,
    /// Always present.
    pub transport: &'static str,
    /// Whether other users see the connection. Always present.
    pub visible: bool,
    /// Status of the connection, present also when it is empty. Missing means that the connection is invisible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// The nodes of the server.
#[derive(Debug, Serialize, ToSchema)]
pub struct InfoResult {
    /// Always present.
    pub nodes: Vec<NodeBody>,
}

/// One node.
#[derive(Debug, Serialize, ToSchema)]
pub struct NodeBody {
    /// Id of the node, new at each start.
    pub uid: String,
    /// Configured name of the node. Without a cluster: the address that it listens on.
    pub name: String,
    /// Version of this software.
    pub version: String,
    /// Open connections, of all dialects.
    pub num_clients: u32,
    /// Users with a connection.
    pub num_users: u32,
    /// Always 0: a user needs no channel to be followed.
    pub num_channels: u32,
    /// Seconds since the start.
    #[serde(skip_serializing_if = "is_uptime_zero")]
    #[schema(required = false)]
    pub uptime: u32,
    /// Always 0.
    pub num_subs: u32,
}

impl UserStatusBody {
    /// The stored record of the user with this name.
    pub(super) fn new(user: String, record: &LastSeen) -> Self {
        Self { user, active: record.active.as_secs(), online: record.online.as_secs(), state: state(record) }
    }
}

impl PresenceBody {
    /// The presence of the user with this name.
    pub(super) fn new(
        user: String,
        general: GeneralStatus,
        connections: Vec<ConnectionBody>,
        record: &LastSeen,
    ) -> Self {
        let online = general == GeneralStatus::Online;
        let general = match general {
            GeneralStatus::Online => "online",
            GeneralStatus::Offline => "offline",
            GeneralStatus::Unlogined => "unlogined",
        };
        let (active, last_online) = (record.active.as_secs(), record.online.as_secs());
        Self { user, online, general, connections, active, last_online, state: state(record) }
    }
}

impl ConnectionBody {
    /// A connection of the user with this name.
    pub(super) fn new(user: &str, device: ConnectionInspection) -> Self {
        Self {
            client: device.connection.to_string(),
            user: user.to_owned(),
            username: device.username.map(|name| name.as_str().to_owned()).unwrap_or_default(),
            dialect: device.dialect.name(),
            transport: "websocket",
            visible: device.status.is_some(),
            status: device.status.map(|status| status.as_str().to_owned()),
        }
    }
}

fn state(record: &LastSeen) -> String {
    record.state.as_ref().map(|state| state.as_str().to_owned()).unwrap_or_default()
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_uptime_zero(number: &u32) -> bool {
    *number == 0
}
