//! The calls: converts, asks `api::users`, converts back.

use std::sync::Arc;

use subtle::ConstantTimeEq;
use tonic::service::Interceptor;
use tonic::{Request, Response, Status};

use super::error::{in_band, mode, status};
use super::proto::{self, centrifugo_api_server::CentrifugoApi};
use crate::api::users::{BatchMode, Command, Disconnection, MAX_BATCH_COMMANDS, NodeInfo, Reply, UserStatus, Users};
use crate::api::{ApiError, ErrorKind};
use crate::config::ErrorMode;
use crate::config::value::Secret;
use crate::metrics::Metrics;

/// The service.
pub struct Service {
    users: Arc<Users>,
    error_mode: ErrorMode,
}

impl Service {
    /// The operations, and how they fail unless the caller asks for the other way.
    pub fn new(users: Arc<Users>, error_mode: ErrorMode) -> Self {
        Self { users, error_mode }
    }

    /// Counts.
    pub fn metrics(&self) -> &Metrics {
        &self.users.metrics
    }

    /// Carries one call out. The outer result is an error that is to be the call's own status.
    async fn call<T>(&self, request: Request<T>) -> Result<Result<Reply, proto::Error>, Status>
    where
        Command: From<T>,
    {
        let mode = mode(request.metadata(), self.error_mode);
        let result = self.users.call(request.into_inner().into()).await.map_err(in_band);
        match (mode, result) {
            (ErrorMode::Transport, Err(error)) => Err(status(error)),
            (ErrorMode::InBand, Err(error)) => Ok(Err(error)),
            (ErrorMode::Transport | ErrorMode::InBand, Ok(reply)) => Ok(Ok(reply)),
        }
    }
}

/// Lets only those in that hold the key: the metadata `authorization` is `apikey KEY`, to the letter. Compared in constant
/// time. Without a key everybody is let in, which the configuration allows on loopback only.
#[derive(Clone)]
pub struct Key {
    expected: Option<Arc<[u8]>>,
    metrics: Metrics,
}

impl Key {
    /// The configured key.
    pub fn new(key: Option<&Secret>, metrics: &Metrics) -> Self {
        let expected = key.map(|key| [b"apikey ", key.expose()].concat().into());
        Self { expected, metrics: metrics.clone() }
    }
}

impl Interceptor for Key {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        let Some(key) = &self.expected else { return Ok(request) };
        let given = request.metadata().get("authorization");
        if given.is_some_and(|given| given.as_bytes().ct_eq(key).into()) {
            return Ok(request);
        }
        self.metrics.api().keyless.inc();
        Err(Status::unauthenticated("unauthenticated"))
    }
}

/// Makes a response of the answer to a call.
macro_rules! respond {
    ($result:expr, $response:ident) => {
        Ok(Response::new(match $result {
            Ok(reply) => proto::$response { error: None, result: Some(reply.try_into()?) },
            Err(error) => proto::$response { error: Some(error), result: None },
        }))
    };
}

#[tonic::async_trait]
impl CentrifugoApi for Service {
    async fn update_user_status(
        &self,
        request: Request<proto::UpdateUserStatusRequest>,
    ) -> Result<Response<proto::UpdateUserStatusResponse>, Status> {
        respond!(self.call(request).await?, UpdateUserStatusResponse)
    }

    async fn get_user_status(
        &self,
        request: Request<proto::GetUserStatusRequest>,
    ) -> Result<Response<proto::GetUserStatusResponse>, Status> {
        respond!(self.call(request).await?, GetUserStatusResponse)
    }

    async fn delete_user_status(
        &self,
        request: Request<proto::DeleteUserStatusRequest>,
    ) -> Result<Response<proto::DeleteUserStatusResponse>, Status> {
        respond!(self.call(request).await?, DeleteUserStatusResponse)
    }

    async fn info(&self, request: Request<proto::InfoRequest>) -> Result<Response<proto::InfoResponse>, Status> {
        respond!(self.call(request).await?, InfoResponse)
    }

    async fn disconnect(
        &self,
        request: Request<proto::DisconnectRequest>,
    ) -> Result<Response<proto::DisconnectResponse>, Status> {
        respond!(self.call(request).await?, DisconnectResponse)
    }

    async fn batch(&self, request: Request<proto::BatchRequest>) -> Result<Response<proto::BatchResponse>, Status> {
        let proto::BatchRequest { commands, parallel } = request.into_inner();
        if commands.len() > MAX_BATCH_COMMANDS {
            return Err(Status::invalid_argument(format!("commands: at most {MAX_BATCH_COMMANDS}")));
        }
        let order = if parallel { BatchMode::Parallel } else { BatchMode::Sequential };
        let results = self.users.batch(commands.into_iter().map(command).collect(), order).await;
        let replies = results.into_iter().map(|result| match result {
            Ok(reply) => in_batch(reply),
            Err(error) => proto::Reply { error: Some(in_band(error)), ..Default::default() },
        });
        Ok(Response::new(proto::BatchResponse { replies: replies.collect() }))
    }
}

/// The first of a batch's command that is there, in the order of their numbers.
fn command(command: proto::Command) -> Result<Command, ApiError> {
    let proto::Command { disconnect, info, update_user_status, get_user_status, delete_user_status } = command;
    let first = disconnect.map(Command::from).or_else(|| info.map(Command::from));
    let first = first.or_else(|| update_user_status.map(Command::from));
    let first = first.or_else(|| get_user_status.map(Command::from));
    let first = first.or_else(|| delete_user_status.map(Command::from));
    first.ok_or_else(|| ApiError::new(ErrorKind::NotFound, "a command names no method of this server"))
}

fn in_batch(reply: Reply) -> proto::Reply {
    let empty = proto::Reply::default();
    match reply {
        Reply::UpdateUserStatus => proto::Reply { update_user_status: Some(proto::UpdateUserStatusResult {}), ..empty },
        Reply::DeleteUserStatus => proto::Reply { delete_user_status: Some(proto::DeleteUserStatusResult {}), ..empty },
        Reply::Disconnect => proto::Reply { disconnect: Some(proto::DisconnectResult {}), ..empty },
        Reply::GetUserStatus(statuses) => proto::Reply { get_user_status: Some(statuses.into()), ..empty },
        Reply::Info(node) => proto::Reply { info: Some(node.into()), ..empty },
        Reply::GetPresence(_) | Reply::Connections(_) | Reply::Altered | Reply::People(..) => {
            let not_here = ApiError::new(ErrorKind::NotFound, "the method is not served over gRPC");
            proto::Reply { error: Some(in_band(not_here)), ..empty }
        }
    }
}

macro_rules! into_command {
    ($($request:ident => |$body:ident| $command:expr;)+) => {
        $(impl From<proto::$request> for Command {
            fn from($body: proto::$request) -> Self {
                $command
            }
        })+
    };
}

into_command! {
    UpdateUserStatusRequest => |body| Self::UpdateUserStatus { users: body.users, state: body.state };
    GetUserStatusRequest => |body| Self::GetUserStatus { users: body.users };
    DeleteUserStatusRequest => |body| Self::DeleteUserStatus { users: body.users };
    InfoRequest => |_body| Self::Info;
    DisconnectRequest => |body| {
        let proto::Disconnect { code, reason } = body.disconnect.unwrap_or_default();
        let proto::DisconnectRequest { user, client, session, whitelist, .. } = body;
        Self::Disconnect(Disconnection { user, client, session, whitelist, code, reason })
    };
}

/// The result of one method out of the answer to it.
macro_rules! try_from_reply {
    ($($result:ident => $reply:pat => $made:expr;)+) => {
        $(impl TryFrom<Reply> for proto::$result {
            type Error = Status;

            fn try_from(reply: Reply) -> Result<Self, Status> {
                if let $reply = reply { Ok($made) } else { Err(Status::internal("the answer to another call")) }
            }
        })+
    };
}

try_from_reply! {
    UpdateUserStatusResult => Reply::UpdateUserStatus => Self {};
    DeleteUserStatusResult => Reply::DeleteUserStatus => Self {};
    DisconnectResult => Reply::Disconnect => Self {};
    GetUserStatusResult => Reply::GetUserStatus(statuses) => statuses.into();
    InfoResult => Reply::Info(node) => node.into();
}

impl From<Vec<UserStatus>> for proto::GetUserStatusResult {
    fn from(statuses: Vec<UserStatus>) -> Self {
        let seconds = |time| i64::try_from(time).unwrap_or(i64::MAX);
        let status = |UserStatus { user, active, online, state }| proto::UserStatus {
            user,
            active: seconds(active),
            online: seconds(online),
            state,
        };
        Self { statuses: statuses.into_iter().map(status).collect() }
    }
}

impl From<Vec<NodeInfo>> for proto::InfoResult {
    fn from(nodes: Vec<NodeInfo>) -> Self {
        let node = |NodeInfo { uid, name, version, clients, users, uptime }| proto::NodeResult {
            uid,
            name,
            version,
            num_clients: clients,
            num_users: users,
            num_channels: 0,
            uptime,
            num_subs: 0,
        };
        Self { nodes: nodes.into_iter().map(node).collect() }
    }
}
