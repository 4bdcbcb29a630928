//! `POST /api/batch`: several calls, answered in their order, without `result` around each.

use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;

use super::ServerApi;
use super::json::{Malformed, or_empty};
use super::method::Method;
use super::response::{ErrorBody, ResultBody};
use crate::api::users::{BatchMode, Command, Failure, MAX_BATCH_COMMANDS};
use crate::api::{ApiError, ErrorKind};

/// Several calls.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub struct BatchRequest {
    /// At most 1024; each an object with the method's name and its request, like `{"get_user_status":{"users":["42"]}}`.
    #[serde(deserialize_with = "or_empty")]
    #[schema(required, value_type = Vec<Object>, example = json!([{"get_user_status": {"users": ["42"]}}]))]
    commands: Vec<Value>,
    /// Some at once; else each after the one before it.
    #[serde(deserialize_with = "or_empty")]
    parallel: bool,
}

/// The answers, in the order of the commands.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchReplies {
    /// Each an object with the method's name and its result, or with `error`.
    #[schema(value_type = Vec<Object>, example = json!([{"get_user_status": {"statuses": [{"user": "42"}]}}]))]
    replies: Vec<BatchReply>,
}

/// One answer.
#[derive(Debug)]
struct BatchReply(Result<(Method, ResultBody), ErrorBody>);

impl Serialize for BatchReply {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(1))?;
        match &self.0 {
            Ok((method, result)) => object.serialize_entry(method.name(), result)?,
            Err(error) => object.serialize_entry("error", error)?,
        }
        object.end()
    }
}

/// Carries the calls out.
pub async fn carry_out(api: &ServerApi, request: BatchRequest) -> Result<BatchReplies, Malformed> {
    if request.commands.len() > MAX_BATCH_COMMANDS {
        return Err(Malformed);
    }
    let mut methods = Vec::with_capacity(request.commands.len());
    let mut commands = Vec::with_capacity(request.commands.len());
    for value in request.commands {
        let (method, command) = read(value)?;
        methods.push(method);
        commands.push(command);
    }
    let order = if request.parallel { BatchMode::Parallel } else { BatchMode::Sequential };
    let results = api.users.batch(commands, order).await;
    let reply = |(method, result): (Option<Method>, Result<_, ApiError>)| {
        let method = method.ok_or_else(nothing_known);
        BatchReply(match result.and_then(|reply| Ok((method?, ResultBody::from(reply)))) {
            Ok(reply) => Ok(reply),
            Err(error) => Err(Failure::from(error).into()),
        })
    };
    Ok(BatchReplies { replies: methods.into_iter().zip(results).map(reply).collect() })
}

/// One command. What is no object is malformed; one that names no method known is an error of its own.
fn read(value: Value) -> Result<(Option<Method>, Result<Command, ApiError>), Malformed> {
    let mut fields = match value {
        Value::Null => return Ok((None, Err(ApiError::invalid("a command is null")))),
        Value::Object(fields) => fields,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => return Err(Malformed),
    };
    let given = |method: &Method| fields.get(method.name()).is_some_and(|params| !params.is_null());
    let Some(method) = Method::ALL.into_iter().find(given) else { return Ok((None, Err(nothing_known()))) };
    let params = fields.remove(method.name()).unwrap_or_default();
    Ok((Some(method), Ok(method.command(params)?)))
}

fn nothing_known() -> ApiError {
    ApiError::new(ErrorKind::NotFound, "a command names no method of this server")
}
