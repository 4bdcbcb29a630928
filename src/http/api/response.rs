//! The bodies of answers. What is zero or empty is left out, except where it says that it is always there.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::api::users::{ConnectionInfo, Failure, NodeInfo, Reply, UserStatus, UserView};
use crate::presence::general_status::GeneralStatus;

/// What a method answers.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum ResultBody {
    Empty(EmptyResult),
    Statuses(GetUserStatusResult),
    Presence(GetPresenceResult),
    Connections(ConnectionsResult),
    Info(InfoResult),
    People(PeopleResult),
}

/// Done.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmptyResult {}

/// A user's list, in the order in which people were added.
#[derive(Debug, Serialize, ToSchema)]
pub struct PeopleResult {
    /// Always there.
    users: Vec<String>,
}

/// One entry for each user asked for, in that order.
#[derive(Debug, Serialize, ToSchema)]
pub struct GetUserStatusResult {
    /// Always there.
    statuses: Vec<UserStatusBody>,
}

/// What is kept of a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserStatusBody {
    /// As it was asked for.
    #[schema(example = "42")]
    user: String,
    /// When it last did something, Unix seconds; missing: never.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false, example = 1_795_220_273)]
    active: u64,
    /// When it was last online, Unix seconds; missing: never.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false, example = 1_795_220_273)]
    online: u64,
    /// What it said of itself last.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false, example = "dnd")]
    state: String,
}

/// One entry for each user asked for, in that order.
#[derive(Debug, Serialize, ToSchema)]
pub struct GetPresenceResult {
    /// Always there.
    users: Vec<PresenceBody>,
}

/// Everything about a user that others may know.
#[derive(Debug, Serialize, ToSchema)]
pub struct PresenceBody {
    /// As it was asked for.
    #[schema(example = "42")]
    user: String,
    /// Visible on at least one connection. Always there.
    online: bool,
    /// `online`, `offline` (was there and is not), `unlogined` (never was there). Always there.
    #[schema(example = "online")]
    general: &'static str,
    /// The visible ones. Always there.
    connections: Vec<ConnectionBody>,
    /// When it last did something, Unix seconds; missing: never.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    active: u64,
    /// When it was last online, Unix seconds; missing: never.
    #[serde(skip_serializing_if = "is_zero")]
    #[schema(required = false)]
    last_online: u64,
    /// What it said of itself last.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    state: String,
}

/// All connections of a user.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectionsResult {
    /// By their ids. Always there.
    connections: BTreeMap<String, ConnectionBody>,
}

/// One connection.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectionBody {
    /// Its id; in `connections` results it is the key.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    client: String,
    /// Whose.
    user: String,
    /// The name it was opened with.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    username: String,
    /// The world it comes from.
    dialect: &'static str,
    /// Always there.
    transport: &'static str,
    /// False: it is connected, but nobody is to see it. Always there.
    visible: bool,
    /// What it shows, also where that is empty; missing: it is invisible.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
}

/// The servers.
#[derive(Debug, Serialize, ToSchema)]
pub struct InfoResult {
    /// Always there.
    nodes: Vec<NodeBody>,
}

/// One server.
#[derive(Debug, Serialize, ToSchema)]
pub struct NodeBody {
    /// Another at each start.
    uid: String,
    /// Its own name; of a node that is alone, where it listens.
    name: String,
    version: String,
    /// Open connections.
    num_clients: u32,
    /// Users with a connection.
    num_users: u32,
    /// Always 0: a user needs no channel to be followed.
    num_channels: u32,
    /// Seconds since the start.
    #[serde(skip_serializing_if = "is_none_yet")]
    #[schema(required = false)]
    uptime: u32,
    /// Always 0.
    num_subs: u32,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// Centrifugo's number: 100 internal server error, 104 not found, 107 bad request, 108 not available.
    #[schema(example = 107)]
    code: u32,
    /// Centrifugo's words for it.
    #[schema(example = "bad request")]
    message: &'static str,
    /// What in particular, for people.
    #[schema(example = "users: at least one is required")]
    detail: String,
}

impl From<Failure> for ErrorBody {
    fn from(failure: Failure) -> Self {
        Self { code: failure.code, message: failure.message, detail: failure.detail }
    }
}

impl From<Reply> for ResultBody {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::UpdateUserStatus | Reply::DeleteUserStatus | Reply::Disconnect | Reply::Altered => {
                Self::Empty(EmptyResult {})
            }
            Reply::People(_, users) => Self::People(PeopleResult { users }),
            Reply::GetUserStatus(statuses) => {
                Self::Statuses(GetUserStatusResult { statuses: statuses.into_iter().map(Into::into).collect() })
            }
            Reply::GetPresence(views) => {
                Self::Presence(GetPresenceResult { users: views.into_iter().map(Into::into).collect() })
            }
            Reply::Connections(connections) => {
                let keyed = |mut connection: ConnectionInfo| {
                    (std::mem::take(&mut connection.client), ConnectionBody::from(connection))
                };
                Self::Connections(ConnectionsResult { connections: connections.into_iter().map(keyed).collect() })
            }
            Reply::Info(nodes) => Self::Info(InfoResult { nodes: nodes.into_iter().map(Into::into).collect() }),
        }
    }
}

impl From<UserStatus> for UserStatusBody {
    fn from(status: UserStatus) -> Self {
        let UserStatus { user, active, online, state } = status;
        Self { user, active, online, state }
    }
}

impl From<UserView> for PresenceBody {
    fn from(view: UserView) -> Self {
        let UserStatus { user, active, online, state } = view.last;
        let connections = view.connections.into_iter().map(Into::into).collect();
        let general = match view.general {
            GeneralStatus::Online => "online",
            GeneralStatus::Offline => "offline",
            GeneralStatus::Unlogined => "unlogined",
        };
        let is_online = view.general == GeneralStatus::Online;
        Self { user, online: is_online, general, connections, active, last_online: online, state }
    }
}

impl From<ConnectionInfo> for ConnectionBody {
    fn from(connection: ConnectionInfo) -> Self {
        let ConnectionInfo { client, user, username, dialect, status } = connection;
        let dialect = dialect.name();
        Self { client, user, username, dialect, transport: "websocket", visible: status.is_some(), status }
    }
}

impl From<NodeInfo> for NodeBody {
    fn from(node: NodeInfo) -> Self {
        let NodeInfo { uid, name, version, clients, users, uptime } = node;
        Self { uid, name, version, num_clients: clients, num_users: users, num_channels: 0, uptime, num_subs: 0 }
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_none_yet(number: &u32) -> bool {
    *number == 0
}
