//! Errors of calls: in the response, or as gRPC's own status when the caller or the configuration asks for that.

use prost::Message;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use super::proto;
use crate::api::ApiError;
use crate::api::users::ApiErrorBody;
use crate::config::ErrorMode;

/// Returns how a call with this metadata fails.
pub fn error_mode(metadata: &MetadataMap, configured: ErrorMode) -> ErrorMode {
    let asks_for_status = metadata.get("x-centrifugo-error-mode").is_some_and(|mode| mode.as_bytes() == b"transport");
    if asks_for_status { ErrorMode::Transport } else { configured }
}

/// Returns the error for a response.
pub fn in_band(error: ApiError) -> proto::Error {
    let ApiErrorBody { code, message, detail: _ } = error.into();
    proto::Error { code, message: message.into() }
}

/// Returns the error as a status. The error of the response is attached to it.
pub fn status(error: proto::Error) -> Status {
    let code = match error.code {
        102 | 104 => Code::NotFound,
        107 | 108 => Code::InvalidArgument,
        112 => Code::OutOfRange,
        113 => Code::AlreadyExists,
        _ => Code::Internal,
    };
    let value = error.encode_to_vec();
    let detail = Any { type_url: "type.googleapis.com/centrifugal.centrifugo.api.Error".into(), value };
    let details = RpcStatus { code: code.into(), message: error.message.clone(), details: vec![detail] };
    Status::with_details(code, error.message, details.encode_to_vec().into())
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}
