//! Reads JSON like Go's `encoding/json`: names in any case, unknown names ignored, `null` is the empty value. No value
//! at all, a wrong type and text after the value are errors.

use serde_json::Value;

/// The body of a request is not what the method takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedBody;

/// Reads one JSON value. Its names are in lower case.
pub fn value(bytes: &[u8]) -> Result<Value, MalformedBody> {
    serde_json::from_slice(bytes).map(with_lowercase_names).map_err(|_| MalformedBody)
}

/// Reads from one to `max` JSON values that follow one another with or without white space. Their names are in lower
/// case.
pub fn values(bytes: &[u8], max: usize) -> Result<Vec<Value>, MalformedBody> {
    let mut values = Vec::new();
    for value in serde_json::Deserializer::from_slice(bytes).into_iter::<Value>() {
        if values.len() == max {
            return Err(MalformedBody);
        }
        values.push(with_lowercase_names(value.map_err(|_| MalformedBody)?));
    }
    if values.is_empty() { Err(MalformedBody) } else { Ok(values) }
}

/// Lowercases every name. The names of a request are those of methods and fields, never data of the caller.
fn with_lowercase_names(value: Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields.into_iter().map(|(name, value)| (name.to_lowercase(), with_lowercase_names(value))).collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(with_lowercase_names).collect()),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    }
}
