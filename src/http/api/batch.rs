//! `POST /api/batch`: several calls in one request. The replies are in the order of the calls and have no `result`
//! around each.

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;

use super::ServerApi;
use super::json::MalformedBody;
use crate::api::users::{ApiCall, ApiErrorBody, ApiMethod, ApiReply, BatchMode, MAX_BATCH_COMMANDS, or_empty};
use crate::api::{ApiError, ErrorKind};

/// Several calls.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct BatchRequest {
    /// At most 1024 objects, each with the name of a method and its parameters, like
    /// `{"get_user_status":{"users":["42"]}}`.
    #[serde(deserialize_with = "or_empty")]
    #[schema(required, value_type = Vec<Object>, example = json!([{"get_user_status": {"users": ["42"]}}]))]
    commands: Vec<Value>,
    /// Runs several calls at the same time. Without it each call starts after the one before it.
    #[serde(deserialize_with = "or_empty")]
    parallel: bool,
}

/// The replies, in the order of the commands.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchReplies {
    /// Objects, each with the name of the method and its result, or with `error`.
    #[schema(value_type = Vec<Object>, example = json!([{"get_user_status": {"statuses": [{"user": "42"}]}}]))]
    replies: Vec<BatchReply>,
}

/// One reply.
#[derive(Debug)]
struct BatchReply(Result<(ApiMethod, ApiReply), ApiErrorBody>);

impl Serialize for BatchReply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(1))?;
        match &self.0 {
            Ok((method, reply)) => object.serialize_entry(method.name(), reply)?,
            Err(error) => object.serialize_entry("error", error)?,
        }
        object.end()
    }
}

/// Executes the calls. No call starts when one of them is malformed.
pub async fn execute(api: &ServerApi, request: BatchRequest) -> Result<BatchReplies, MalformedBody> {
    if request.commands.len() > MAX_BATCH_COMMANDS {
        return Err(MalformedBody);
    }
    let commands = request.commands.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let calls = commands.into_iter().map(|command| async {
        let (method, call) = command?;
        Ok((method, api.users.call(call).await?))
    });
    let results = BatchMode::from_parallel(request.parallel).run(calls).await;
    let reply = |result: Result<_, ApiError>| BatchReply(result.map_err(ApiErrorBody::from));
    Ok(BatchReplies { replies: results.into_iter().map(reply).collect() })
}

/// Reads one command. A value that is not an object makes the whole batch malformed; a command that names no known
/// method is an error of that command only.
fn read(value: Value) -> Result<Result<(ApiMethod, ApiCall), ApiError>, MalformedBody> {
    let mut fields = match value {
        Value::Null => return Ok(Err(ApiError::invalid("a command is null"))),
        Value::Object(fields) => fields,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => return Err(MalformedBody),
    };
    let is_named = |method: &ApiMethod| fields.get(method.name()).is_some_and(|parameters| !parameters.is_null());
    let Some(method) = ApiMethod::ALL.iter().copied().find(is_named) else {
        return Ok(Err(ApiError::new(ErrorKind::NotFound, "a command names no method of this server")));
    };
    let parameters = fields.remove(method.name()).unwrap_or_default();
    Ok(Ok((method, method.call(parameters)?)))
}
