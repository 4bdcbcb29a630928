//! JSON-RPC 2.0 (jsonrpc.org): a request or a batch of them in a frame. Keys in any order, unknown ones ignored.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::code::Code;

/// Requests in one batch.
const MAX_BATCH: usize = 100;

/// What a frame holds.
pub(super) enum Read<'a> {
    One(Result<Message<'a>, Unusable>),
    /// At least one.
    Batch(Vec<Result<Message<'a>, Unusable>>),
}

/// One request.
#[derive(Debug)]
pub(super) struct Message<'a> {
    /// As it is written; none: no answer is wanted.
    pub id: Option<&'a str>,
    pub method: String,
    /// As it is written.
    pub params: Option<&'a str>,
}

/// No request, and whose it would be is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unusable(pub Code);

impl Unusable {
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

/// What is there, also where it is `null`.
fn there<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

/// Reads a frame.
pub(super) fn read(text: &str) -> Read<'_> {
    let Ok(whole) = serde_json::from_str::<&RawValue>(text) else { return Read::One(Err(Unusable::PARSE)) };
    if !whole.get().starts_with('[') {
        return Read::One(message(whole));
    }
    match serde_json::from_str::<Vec<&RawValue>>(whole.get()) {
        Ok(batch) if (1..=MAX_BATCH).contains(&batch.len()) => Read::Batch(batch.into_iter().map(message).collect()),
        Ok(_) | Err(_) => Read::One(Err(Unusable::REQUEST)),
    }
}

fn message(value: &RawValue) -> Result<Message<'_>, Unusable> {
    // serde takes lists for structs besides.
    if !value.get().starts_with('{') {
        return Err(Unusable::REQUEST);
    }
    let envelope: Envelope<'_> = serde_json::from_str(value.get()).map_err(|_| Unusable::REQUEST)?;
    let id = envelope.id.map(RawValue::get);
    if envelope.jsonrpc != "2.0" || !id.is_none_or(names) {
        return Err(Unusable::REQUEST);
    }
    Ok(Message { id, method: envelope.method, params: envelope.params.map(RawValue::get) })
}

/// A text, a number or null.
fn names(id: &str) -> bool {
    !id.starts_with(['{', '[', 't', 'f'])
}
