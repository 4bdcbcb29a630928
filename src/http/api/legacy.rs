//! `POST /api`: the one endpoint of Centrifugo before version 5, which gocent still uses. Calls follow one another in
//! one body, like `{"id":1,"method":"info","params":{}}`; each reply is one line.

use serde::Serialize;
use serde_json::Value;

use super::ServerApi;
use super::json::{MalformedBody, values};
use crate::api::users::{
    ApiCall, ApiErrorBody, ApiMethod, ApiReply, BatchMode, MAX_BATCH_COMMANDS, MalformedParameters,
};
use crate::api::{ApiError, ErrorKind};

/// One line of the response.
#[derive(Serialize)]
struct LegacyReply {
    #[serde(skip_serializing_if = "is_zero")]
    id: u32,
    #[serde(flatten)]
    outcome: LegacyOutcome,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum LegacyOutcome {
    Result(ApiReply),
    Error(ApiErrorBody),
}

/// Executes the calls in sequence. No call starts when one of them is malformed.
pub async fn execute(api: &ServerApi, body: &[u8]) -> Result<String, MalformedBody> {
    let values = values(body, MAX_BATCH_COMMANDS)?;
    let calls = values.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let lines = calls.into_iter().map(|(id, call)| async move {
        let result = match call {
            Ok(call) => api.users.call(call).await,
            Err(error) => Err(error),
        };
        let outcome = result.map_or_else(|error| LegacyOutcome::Error(error.into()), LegacyOutcome::Result);
        serde_json::to_string(&LegacyReply { id, outcome }).expect("these types always serialize")
    });
    Ok(BatchMode::Sequential.run(lines).await.join("\n"))
}

/// Reads one call. An unknown method name makes the whole body malformed; a call that can be read and not executed is
/// an error of that call only.
fn read(value: Value) -> Result<(u32, Result<ApiCall, ApiError>), MalformedBody> {
    let mut fields = match value {
        Value::Null => serde_json::Map::new(),
        Value::Object(fields) => fields,
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => return Err(MalformedBody),
    };
    let id = match fields.get("id") {
        None | Some(Value::Null) => 0,
        Some(id) => id.as_u64().and_then(|id| u32::try_from(id).ok()).ok_or(MalformedBody)?,
    };
    let method = LegacyMethod::read(fields.get("method").unwrap_or(&Value::Null)).ok_or(MalformedBody)?;
    let call = match method {
        LegacyMethod::Served(method) => {
            let parameters = fields.remove("params").unwrap_or_default();
            let malformed = |MalformedParameters| ApiError::invalid("params: not what the method takes");
            method.call(parameters).map_err(malformed)
        }
        LegacyMethod::NotServed => Err(ApiError::new(ErrorKind::NotFound, "this server does not have the method")),
    };
    Ok((id, call))
}

/// A method as callers of the legacy endpoint name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LegacyMethod {
    /// This server has the method.
    Served(ApiMethod),
    /// Centrifugo has the method; this server does not.
    NotServed,
}

/// Methods of Centrifugo that this server does not have.
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

impl LegacyMethod {
    /// Reads a name in any case or a number. `None` means that neither this server nor Centrifugo has such a method.
    fn read(method: &Value) -> Option<Self> {
        let find = |is_it: &dyn Fn(ApiMethod) -> bool| ApiMethod::ALL.iter().copied().find(|method| is_it(*method));
        match method {
            Value::String(name) => {
                let name = name.to_lowercase();
                let served = find(&|method| method.name() == name).map(Self::Served);
                served.or_else(|| NOT_SERVED.contains(&name.as_str()).then_some(Self::NotServed))
            }
            Value::Number(number) => {
                let number = number.as_u64()?;
                Some(find(&|method| method.number() == Some(number)).map_or(Self::NotServed, Self::Served))
            }
            // The zero value of Go, which stands for `publish`.
            Value::Null => Some(Self::NotServed),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }
}

fn is_zero(id: &u32) -> bool {
    *id == 0
}
