//! The methods by name, in batches and over the old endpoint.

use serde_json::Value;

use super::json::{Malformed, body};
use super::request::{
    ConnectionsRequest, DeleteUserStatusRequest, DisconnectRequest, GetPresenceRequest, GetUserStatusRequest,
    InfoRequest, ListRequest, PeopleRequest, UpdateUserStatusRequest,
};
use crate::api::users::Command;
use crate::presence::roster::RosterKind;

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
    FriendsAdd,
    FriendsRemove,
    FriendsList,
    Block,
    Unblock,
    BlockList,
}

impl Method {
    /// In the order in which Centrifugo looks through a batch's command.
    pub const ALL: [Self; 13] = [
        Self::Disconnect,
        Self::Info,
        Self::Connections,
        Self::UpdateUserStatus,
        Self::GetUserStatus,
        Self::DeleteUserStatus,
        Self::GetPresence,
        Self::FriendsAdd,
        Self::FriendsRemove,
        Self::FriendsList,
        Self::Block,
        Self::Unblock,
        Self::BlockList,
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
            Self::FriendsAdd => "friends_add",
            Self::FriendsRemove => "friends_remove",
            Self::FriendsList => "friends_list",
            Self::Block => "block",
            Self::Unblock => "unblock",
            Self::BlockList => "block_list",
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
            Self::GetPresence
            | Self::FriendsAdd
            | Self::FriendsRemove
            | Self::FriendsList
            | Self::Block
            | Self::Unblock
            | Self::BlockList => None,
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
            Self::FriendsAdd => Command::AddTo(RosterKind::Friends, body::<PeopleRequest>(params)?.into()),
            Self::FriendsRemove => Command::RemoveFrom(RosterKind::Friends, body::<PeopleRequest>(params)?.into()),
            Self::FriendsList => Command::List(RosterKind::Friends, body::<ListRequest>(params)?.user()),
            Self::Block => Command::AddTo(RosterKind::Blocked, body::<PeopleRequest>(params)?.into()),
            Self::Unblock => Command::RemoveFrom(RosterKind::Blocked, body::<PeopleRequest>(params)?.into()),
            Self::BlockList => Command::List(RosterKind::Blocked, body::<ListRequest>(params)?.user()),
        })
    }
}

/// A method as the old endpoint's callers name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named {
    /// It is here.
    Here(Method),
    /// Centrifugo has it; this server does not.
    NotServed,
}

/// Methods of Centrifugo that are not here.
const NOT_SERVED: [&str; 15] = [
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
            here.or_else(|| NOT_SERVED.contains(&name.as_str()).then_some(Named::NotServed))
        }
        Value::Number(number) => {
            let number = number.as_u64()?;
            let here = Method::ALL.into_iter().find(|method| method.number() == Some(number));
            Some(here.map_or(Named::NotServed, Named::Here))
        }
        // Go's zero value: publish.
        Value::Null => Some(Named::NotServed),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
