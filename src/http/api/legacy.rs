//! `POST /api`: the one endpoint of Centrifugo before version 5, which gocent still uses. Calls one after the other in one
//! body, `{"id":1,"method":"info","params":{}}`; answers on a line each.

use serde::Serialize;
use serde_json::Value;

use super::ServerApi;
use super::json::{Malformed, values};
use super::method::{Named, named};
use super::response::{ErrorBody, ResultBody};
use crate::api::users::{BatchMode, Command, Failure, MAX_BATCH_COMMANDS};
use crate::api::{ApiError, ErrorKind};

#[derive(Serialize)]
struct Line {
    #[serde(skip_serializing_if = "is_zero")]
    id: u32,
    #[serde(flatten)]
    outcome: Outcome,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Result(ResultBody),
    Error(ErrorBody),
}

/// Carries the calls out, one after the other.
pub async fn carry_out(api: &ServerApi, body: &[u8]) -> Result<String, Malformed> {
    let mut ids = Vec::new();
    let mut commands = Vec::new();
    for value in values(body, MAX_BATCH_COMMANDS)? {
        let (id, command) = read(value)?;
        ids.push(id);
        commands.push(command);
    }
    let results = api.users.batch(commands, BatchMode::Sequential).await;
    let lines = ids.into_iter().zip(results).map(|(id, result)| {
        let outcome = match result {
            Ok(reply) => Outcome::Result(reply.into()),
            Err(error) => Outcome::Error(Failure::from(error).into()),
        };
        serde_json::to_string(&Line { id, outcome }).expect("these types always serialize")
    });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

/// One call. An unknown name makes the whole body malformed; what can be read and not done is an error of its own.
fn read(value: Value) -> Result<(u32, Result<Command, ApiError>), Malformed> {
    let mut fields = match value {
        Value::Null => serde_json::Map::new(),
        Value::Object(fields) => fields,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => return Err(Malformed),
    };
    let id = match fields.get("id") {
        None | Some(Value::Null) => 0,
        Some(id) => id.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or(Malformed)?,
    };
    let method = named(fields.get("method").unwrap_or(&Value::Null)).ok_or(Malformed)?;
    let command = match method {
        Named::Here(method) => {
            let params = fields.remove("params").unwrap_or_default();
            method.command(params).map_err(|Malformed| ApiError::invalid("params: not what the method takes"))
        }
        Named::NotServed => Err(ApiError::new(ErrorKind::NotFound, "this server does not have the method")),
    };
    Ok((id, command))
}

fn is_zero(id: &u32) -> bool {
    *id == 0
}
