//! JSON-RPC 2.0 (jsonrpc.org): one request or one batch per frame. Keys may be in any order. Unknown keys are ignored.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::code::Code;

/// Maximum number of requests in one batch.
const MAX_BATCH: usize = 100;

/// The content of a frame.
pub(super) enum Read<'a> {
    One(Result<Message<'a>, InvalidRequest>),
    /// At least one request.
    Batch(Vec<Result<Message<'a>, InvalidRequest>>),
}

/// One request.
#[derive(Debug)]
pub(super) struct Message<'a> {
    /// The id as the client wrote it. `None` means that the client expects no reply.
    pub id: Option<&'a str>,
    pub method: String,
    /// The parameters as the client wrote them.
    pub params: Option<&'a str>,
}

/// An invalid request with an unknown id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InvalidRequest(pub Code);

impl InvalidRequest {
    pub(super) const PARSE: Self = Self(Code::Parse);
    const REQUEST: Self = Self(Code::InvalidRequest);
}

#[derive(Deserialize)]
struct Envelope<'a> {
    jsonrpc: String,
    #[serde(borrow, default, deserialize_with = "there")]
    id: Option<&'a RawValue>,
    method: String,
    #[serde(borrow, default, deserialize_with = "there")]
    params: Option<&'a RawValue>,
}

/// Keeps a value that is present, even `null`.
fn there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Decodes a frame.
pub(super) fn read(text: &str) -> Read<'_> {
    let Ok(whole) = serde_json::from_str::<&RawValue>(text) else { return Read::One(Err(InvalidRequest::PARSE)) };
    if !whole.get().starts_with('[') {
        return Read::One(message(whole));
    }
    match serde_json::from_str::<Vec<&RawValue>>(whole.get()) {
        Ok(batch) if (1..=MAX_BATCH).contains(&batch.len()) => Read::Batch(batch.into_iter().map(message).collect()),
        Ok(_) | Err(_) => Read::One(Err(InvalidRequest::REQUEST)),
    }
}

fn message(value: &RawValue) -> Result<Message<'_>, InvalidRequest> {
    // serde also accepts lists for structs.
    if !value.get().starts_with('{') {
        return Err(InvalidRequest::REQUEST);
    }
    let envelope: Envelope<'_> = serde_json::from_str(value.get()).map_err(|_| InvalidRequest::REQUEST)?;
    let id = envelope.id.map(RawValue::get);
    if envelope.jsonrpc != "2.0" || !id.is_none_or(names) {
        return Err(InvalidRequest::REQUEST);
    }
    Ok(Message { id, method: envelope.method, params: envelope.params.map(RawValue::get) })
}

/// Returns whether the id is a text, a number or null.
fn names(id: &str) -> bool {
    !id.starts_with(['{', '[', 't', 'f'])
}
