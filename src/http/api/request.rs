//! The bodies of requests.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::json::or_empty;
use crate::api::users::{Command, Disconnection, People};

/// Users who did something just now.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct UpdateUserStatusRequest {
    /// 1 to 1000 ids.
    #[serde(deserialize_with = "or_empty")]
    #[schema(required, example = json!(["42"]))]
    users: Vec<String>,
    /// Kept with the status, at most 2048 bytes; empty or missing leaves what was kept before.
    #[serde(deserialize_with = "or_empty")]
    #[schema(example = "dnd")]
    state: String,
}

/// Users to be told about.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct GetUserStatusRequest {
    /// At most 1000 ids.
    #[serde(deserialize_with = "or_empty")]
    #[schema(required, example = json!(["42"]))]
    users: Vec<String>,
}

/// Users to be forgotten.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct DeleteUserStatusRequest {
    /// 1 to 1000 ids.
    #[serde(deserialize_with = "or_empty")]
    #[schema(required, example = json!(["42"]))]
    users: Vec<String>,
}

/// Users to be told everything about.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct GetPresenceRequest {
    /// At most 500 ids.
    #[serde(deserialize_with = "or_empty")]
    #[schema(required, example = json!(["42"]))]
    users: Vec<String>,
}

/// A user whose connections are wanted.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ConnectionsRequest {
    /// Its id.
    #[serde(deserialize_with = "or_empty")]
    #[schema(required, example = "42")]
    user: String,
}

/// Connections to be closed.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct DisconnectRequest {
    /// Whose.
    #[serde(deserialize_with = "or_empty")]
    #[schema(required, example = "42")]
    user: String,
    /// Only this connection; empty or missing: all.
    #[serde(deserialize_with = "or_empty")]
    client: String,
    /// Not supported: there is no transport with sessions.
    #[serde(deserialize_with = "or_empty")]
    #[schema(ignore)]
    session: String,
    /// Connections to spare.
    #[serde(deserialize_with = "or_empty")]
    whitelist: Vec<String>,
    /// How the connections are closed; missing: as each client's own protocol has it.
    #[serde(deserialize_with = "or_empty")]
    disconnect: Closing,
}

/// A close frame.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[serde(default)]
pub struct Closing {
    /// From 3000 to 4999; 0 or missing: the protocol's own.
    #[serde(deserialize_with = "or_empty")]
    #[schema(example = 4500)]
    code: u32,
    /// At most 123 bytes.
    #[serde(deserialize_with = "or_empty")]
    reason: String,
}

/// People of a user: friends, or who is not to see it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct PeopleRequest {
    /// Whose list it is.
    #[serde(deserialize_with = "or_empty")]
    #[schema(required, example = "42")]
    user: String,
    /// 1 to 1000 ids, each of 1 to 32 printable ASCII characters or a UUID.
    #[serde(deserialize_with = "or_empty")]
    #[schema(required, example = json!(["43"]))]
    users: Vec<String>,
}

impl From<PeopleRequest> for People {
    fn from(body: PeopleRequest) -> Self {
        Self { user: body.user, people: body.users }
    }
}

/// A user whose list is wanted.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ListRequest {
    /// Its id.
    #[serde(deserialize_with = "or_empty")]
    #[schema(required, example = "42")]
    user: String,
}

impl ListRequest {
    /// Whose.
    pub fn user(self) -> String {
        self.user
    }
}

/// Nothing to say.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct InfoRequest {}

macro_rules! into_command {
    ($($request:ident => |$body:ident| $command:expr;)+) => {
        $(impl From<$request> for Command {
            fn from($body: $request) -> Self {
                $command
            }
        })+
    };
}

into_command! {
    UpdateUserStatusRequest => |body| Self::UpdateUserStatus { users: body.users, state: body.state };
    GetUserStatusRequest => |body| Self::GetUserStatus { users: body.users };
    DeleteUserStatusRequest => |body| Self::DeleteUserStatus { users: body.users };
    GetPresenceRequest => |body| Self::GetPresence { users: body.users };
    ConnectionsRequest => |body| Self::Connections { user: body.user };
    DisconnectRequest => |body| Self::Disconnect(Disconnection {
        user: body.user,
        client: body.client,
        session: body.session,
        whitelist: body.whitelist,
        code: body.disconnect.code,
        reason: body.disconnect.reason,
    });
    InfoRequest => |_body| Self::Info;
}
