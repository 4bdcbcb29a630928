//! The parameters of the methods, as JSON and OpenAPI have them. Checks are in the functions that take them.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

/// Users who are active now.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct UpdateUserStatusRequest {
    /// 1 to 1000 ids.
    #[serde(deserialize_with = "or_empty")]
    #[schema(required, example = json!(["42"]))]
    pub users: Vec<String>,
    /// The state that is stored for the users, at most 2048 bytes. An empty or missing state leaves the stored one.
    #[serde(deserialize_with = "or_empty")]
    #[schema(example = "dnd")]
    pub state: String,
}

/// Users to read the stored status of.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct GetUserStatusRequest {
    /// At most 1000 ids.
    #[serde(deserialize_with = "or_empty")]
    #[schema(required, example = json!(["42"]))]
    pub users: Vec<String>,
}

/// Users to delete the stored status of.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct DeleteUserStatusRequest {
    /// 1 to 1000 ids.
    #[serde(deserialize_with = "or_empty")]
    #[schema(required, example = json!(["42"]))]
    pub users: Vec<String>,
}

/// Users to read the presence of.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct GetPresenceRequest {
    /// At most 500 ids.
    #[serde(deserialize_with = "or_empty")]
    #[schema(required, example = json!(["42"]))]
    pub users: Vec<String>,
}

/// A user to read the connections of.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ConnectionsRequest {
    /// Id of the user.
    #[serde(deserialize_with = "or_empty")]
    #[schema(required, example = "42")]
    pub user: String,
}

/// Connections to close.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct DisconnectRequest {
    /// Id of the user who owns the connections.
    #[serde(deserialize_with = "or_empty")]
    #[schema(required, example = "42")]
    pub user: String,
    /// Id of the one connection to close. Empty or missing means all.
    #[serde(deserialize_with = "or_empty")]
    pub client: String,
    /// Not supported: no transport of this server has sessions.
    #[serde(deserialize_with = "or_empty")]
    #[schema(ignore)]
    pub session: String,
    /// Ids of connections that stay open.
    #[serde(deserialize_with = "or_empty")]
    pub whitelist: Vec<String>,
    /// The close frame. Missing means the code and reason of each client's own protocol.
    #[serde(deserialize_with = "or_empty")]
    pub disconnect: CloseParameters,
}

/// Code and reason of a close frame.
#[derive(Debug, Default, Deserialize, Serialize, ToSchema)]
#[schema(as = Closing)]
#[serde(default)]
pub struct CloseParameters {
    /// From 3000 to 4999. 0 or missing means the code and reason of the client's own protocol.
    #[serde(deserialize_with = "or_empty")]
    #[schema(example = 4500)]
    pub code: u32,
    /// At most 123 bytes. Empty means "force disconnect".
    #[serde(deserialize_with = "or_empty")]
    pub reason: String,
}

/// People to add to or to remove from a list of a user: the friends or the blocked users.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct PeopleRequest {
    /// Id of the user who owns the list.
    #[serde(deserialize_with = "or_empty")]
    #[schema(required, example = "42")]
    pub user: String,
    /// 1 to 1000 ids.
    #[serde(deserialize_with = "or_empty")]
    #[schema(required, example = json!(["43"]))]
    pub users: Vec<String>,
}

/// A user to read the list of.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct ListRequest {
    /// Id of the user who owns the list.
    #[serde(deserialize_with = "or_empty")]
    #[schema(required, example = "42")]
    pub user: String,
}

/// No parameters.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct InfoRequest {}

/// Deserializes a field of parameters. `null` is the field's empty value.
pub fn or_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}
