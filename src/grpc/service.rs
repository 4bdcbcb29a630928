//! The service. Its calls are generated from the list of methods in `api::users`.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::error::{error_mode, in_band, status};
use super::proto::{self, centrifugo_api_server::CentrifugoApi};
use crate::api::users::methods::for_each_method;
use crate::api::users::{BatchMode, MAX_BATCH_COMMANDS, Users, results};
use crate::api::{ApiError, ErrorKind};
use crate::config::ErrorMode;

/// Centrifugo's service on the methods of `api::users`.
pub struct GrpcService {
    users: Arc<Users>,
    /// How calls fail unless the caller asks for the other mode.
    error_mode: ErrorMode,
}

impl GrpcService {
    /// Serves these methods.
    pub fn new(users: Arc<Users>, error_mode: ErrorMode) -> Self {
        Self { users, error_mode }
    }
}

macro_rules! define_service {
    ($(
        $(#[$doc:meta])+
        $method:ident = $function:ident($parameters:ident) -> $result:ident,
        number: $number:expr $(, grpc: $response:ident)?;
    )+) => {
        $($(
            impl From<Result<results::$result, ApiError>> for proto::$response {
                fn from(result: Result<results::$result, ApiError>) -> Self {
                    match result {
                        Ok(result) => Self { error: None, result: Some(result.into()) },
                        Err(error) => Self { error: Some(in_band(error)), result: None },
                    }
                }
            }
        )?)+

        #[tonic::async_trait]
        impl CentrifugoApi for GrpcService {
            $($(
                async fn $function(
                    &self,
                    request: Request<proto::$parameters>,
                ) -> Result<Response<proto::$response>, Status> {
                    let mode = error_mode(request.metadata(), self.error_mode);
                    let call = self.users.$function(request.into_inner().into());
                    let mut response = proto::$response::from(self.users.counted(call).await);
                    if mode == ErrorMode::Transport && let Some(error) = response.error.take() {
                        return Err(status(error));
                    }
                    Ok(Response::new(response))
                }
            )?)+

            async fn batch(&self, request: Request<proto::BatchRequest>) -> Result<Response<proto::BatchResponse>, Status> {
                self.execute_batch(request.into_inner()).await.map(Response::new)
            }
        }

        impl GrpcService {
            /// Executes the first method that the command has, in the order of the list.
            async fn execute(&self, command: proto::Command) -> proto::Reply {
                $($(
                    if let Some(message) = command.$function {
                        let call = self.users.$function(message.into());
                        let response = proto::$response::from(self.users.counted(call).await);
                        return proto::Reply { error: response.error, $function: response.result, ..Default::default() };
                    }
                )?)+
                let error = ApiError::new(ErrorKind::NotFound, "a command names no method of this server");
                proto::Reply { error: Some(in_band(error)), ..Default::default() }
            }
        }
    };
}

for_each_method!(define_service);

impl GrpcService {
    async fn execute_batch(&self, request: proto::BatchRequest) -> Result<proto::BatchResponse, Status> {
        let proto::BatchRequest { commands, parallel } = request;
        if commands.len() > MAX_BATCH_COMMANDS {
            return Err(Status::invalid_argument(format!("commands: at most {MAX_BATCH_COMMANDS}")));
        }
        let calls = commands.into_iter().map(|command| self.execute(command));
        Ok(proto::BatchResponse { replies: BatchMode::from_parallel(parallel).run(calls).await })
    }
}
