//! The methods by name, in batches and over the old endpoint.

use serde_json::Value;

use super::json::{Malformed, body};
use super::request::{
    ConnectionsRequest, DeleteUserStatusRequest, DisconnectRequest, GetPresenceRequest, GetUserStatusRequest,
    InfoRequest, UpdateUserStatusRequest,
};
use crate::api::users::Command;

/// A method of the server API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Disconnect,
    Info,
    Connections,
    UpdateUserStatus,
    GetUserStatus,
    DeleteUserStatus,
    GetPresence,
}

impl Method {
    /// In the order in which Centrifugo looks through a batch's command.
    pub const ALL: [Self; 7] = [
        Self::Disconnect,
        Self::Info,
        Self::Connections,
        Self::UpdateUserStatus,
        Self::GetUserStatus,
        Self::DeleteUserStatus,
        Self::GetPresence,
    ];

    /// In paths, batches and over the old endpoint.
    pub fn name(self) -> &'static str {
        match self {
            Self::Disconnect => "disconnect",
            Self::Info => "info",
            Self::Connections => "connections",
            Self::UpdateUserStatus => "update_user_status",
            Self::GetUserStatus => "get_user_status",
            Self::DeleteUserStatus => "delete_user_status",
            Self::GetPresence => "get_presence",
        }
    }

    /// Over the old endpoint.
    fn number(self) -> Option<u64> {
        match self {
            Self::Disconnect => Some(3),
            Self::Info => Some(9),
            Self::Connections => Some(14),
            Self::UpdateUserStatus => Some(15),
            Self::GetUserStatus => Some(16),
            Self::DeleteUserStatus => Some(17),
            Self::GetPresence => None,
        }
    }

    /// Reads what is to be done.
    pub fn command(self, params: Value) -> Result<Command, Malformed> {
        Ok(match self {
            Self::Disconnect => body::<DisconnectRequest>(params)?.into(),
            Self::Info => body::<InfoRequest>(params)?.into(),
            Self::Connections => body::<ConnectionsRequest>(params)?.into(),
            Self::UpdateUserStatus => body::<UpdateUserStatusRequest>(params)?.into(),
            Self::GetUserStatus => body::<GetUserStatusRequest>(params)?.into(),
            Self::DeleteUserStatus => body::<DeleteUserStatusRequest>(params)?.into(),
            Self::GetPresence => body::<GetPresenceRequest>(params)?.into(),
        })
    }
}

/// A method as the old endpoint's callers name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// It is here.
    Here(Method),
    /// Centrifugo has it; this server does not.
    Elsewhere,
}

/// Methods of Centrifugo that are not here.
const ELSEWHERE: [&str; 15] = [
    "publish",
    "broadcast",
    "unsubscribe",
    "presence",
    "presence_stats",
    "history",
    "history_remove",
    "channels",
    "rpc",
    "subscribe",
    "refresh",
    "block_user",
    "unblock_user",
    "revoke_token",
    "invalidate_user_tokens",
];

/// A name in any case or a number; none: there is no such method.
pub fn named(method: &Value) -> Option<Named> {
    match method {
        Value::String(name) => {
            let name = name.to_lowercase();
            let here = Method::ALL.into_iter().find(|method| method.name() == name).map(Named::Here);
            here.or_else(|| ELSEWHERE.contains(&name.as_str()).then_some(Named::Elsewhere))
        }
        Value::Number(number) => {
            let number = number.as_u64()?;
            let here = Method::ALL.into_iter().find(|method| method.number() == Some(number));
            Some(here.map_or(Named::Elsewhere, Named::Here))
        }
        // Go's zero value: publish.
        Value::Null => Some(Named::Elsewhere),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
