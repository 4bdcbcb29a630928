//! Converts between the messages of the schema and the parameters and results of `api::users`.

use super::proto;
use crate::api::users::parameters::{
    CloseParameters, DeleteUserStatusRequest, DisconnectRequest, GetUserStatusRequest, InfoRequest,
    UpdateUserStatusRequest,
};
use crate::api::users::results::{EmptyResult, GetUserStatusResult, InfoResult, NodeBody, UserStatusBody};

impl From<proto::UpdateUserStatusRequest> for UpdateUserStatusRequest {
    fn from(message: proto::UpdateUserStatusRequest) -> Self {
        Self { users: message.users, state: message.state }
    }
}

impl From<proto::GetUserStatusRequest> for GetUserStatusRequest {
    fn from(message: proto::GetUserStatusRequest) -> Self {
        Self { users: message.users }
    }
}

impl From<proto::DeleteUserStatusRequest> for DeleteUserStatusRequest {
    fn from(message: proto::DeleteUserStatusRequest) -> Self {
        Self { users: message.users }
    }
}

impl From<proto::InfoRequest> for InfoRequest {
    fn from(_message: proto::InfoRequest) -> Self {
        Self {}
    }
}

impl From<proto::DisconnectRequest> for DisconnectRequest {
    fn from(message: proto::DisconnectRequest) -> Self {
        let proto::DisconnectRequest { user, disconnect, client, whitelist, session } = message;
        let proto::Disconnect { code, reason } = disconnect.unwrap_or_default();
        Self { user, client, session, whitelist, disconnect: CloseParameters { code, reason } }
    }
}

impl From<EmptyResult> for proto::UpdateUserStatusResult {
    fn from(_result: EmptyResult) -> Self {
        Self {}
    }
}

impl From<EmptyResult> for proto::DeleteUserStatusResult {
    fn from(_result: EmptyResult) -> Self {
        Self {}
    }
}

impl From<EmptyResult> for proto::DisconnectResult {
    fn from(_result: EmptyResult) -> Self {
        Self {}
    }
}

impl From<GetUserStatusResult> for proto::GetUserStatusResult {
    fn from(result: GetUserStatusResult) -> Self {
        let seconds = |time| i64::try_from(time).unwrap_or(i64::MAX);
        let status = |UserStatusBody { user, active, online, state }| proto::UserStatus {
            user,
            active: seconds(active),
            online: seconds(online),
            state,
        };
        Self { statuses: result.statuses.into_iter().map(status).collect() }
    }
}

impl From<InfoResult> for proto::InfoResult {
    fn from(result: InfoResult) -> Self {
        let node = |node: NodeBody| proto::NodeResult {
            uid: node.uid,
            name: node.name,
            version: node.version,
            num_clients: node.num_clients,
            num_users: node.num_users,
            num_channels: node.num_channels,
            uptime: node.uptime,
            num_subs: node.num_subs,
        };
        Self { nodes: result.nodes.into_iter().map(node).collect() }
    }
}
