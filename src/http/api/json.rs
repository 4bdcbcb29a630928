//! Reads JSON as Go's `encoding/json` does: names in any case, unknown ones ignored, `null` is nothing; but nothing at all,
//! a wrong type and trailing garbage are errors.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// What was sent is not what the method takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// One JSON value with its names in lower case.
pub fn value(bytes: &[u8]) -> Result<Value, Malformed> {
    serde_json::from_slice(bytes).map(lower).map_err(|_| Malformed)
}

/// Several JSON values, one after the other, between them white space or nothing.
pub fn values(bytes: &[u8], most: usize) -> Result<Vec<Value>, Malformed> {
    let mut values = Vec::new();
    for value in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
        if values.len() == most {
            return Err(Malformed);
        }
        values.push(lower(value.map_err(|_| Malformed)?));
    }
    if values.is_empty() { Err(Malformed) } else { Ok(values) }
}

/// A value as a body; `null` is the empty one.
pub fn body<T: DeserializeOwned + Default>(value: Value) -> Result<T, Malformed> {
    match value {
        Value::Null => Ok(T::default()),
        Value::Object(_) => serde_json::from_value(value).map_err(|_| Malformed),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Err(Malformed),
    }
}

/// For a field: `null` is its empty value.
pub fn or_empty<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// The names of a request are the methods' and fields' own, never a caller's data.
fn lower(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name.to_lowercase(), lower(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(lower).collect()),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    }
}
