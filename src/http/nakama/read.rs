//! Reads bodies and queries like Nakama's gateway: JSON with any content type, an empty body is `{}`, unknown fields
//! and parameters are ignored, names in snake_case or lowerCamelCase.

use actix_web::{HttpRequest, web};
use serde::de::DeserializeOwned;

use super::NakamaEndpoints;
use super::respond::NakamaError;

/// Reads a JSON body. Handlers check the key or the token first: a stranger cannot make the server read.
pub async fn json_body<T: DeserializeOwned + Default>(
    request: &HttpRequest,
    payload: web::Payload,
    nakama: &NakamaEndpoints,
) -> Result<T, NakamaError> {
    let bytes = nakama.bodies.read(request, payload).await?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(T::default());
    }
    let body = serde_json::from_slice::<Option<T>>(&bytes);
    let body = body.map_err(|error| NakamaError::invalid(format!("invalid JSON body: {error}")))?;
    Ok(body.unwrap_or_default())
}

/// The decoded parameters of a query, in their order.
pub struct QueryParameters(Vec<(String, String)>);

impl QueryParameters {
    /// Reads the query of this request.
    pub fn of(request: &HttpRequest) -> Self {
        Self(form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect())
    }

    /// Returns the first value of a name.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Returns all values of a name.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
    }

    /// Returns a truth value. Refuses other values with the sentence of the gateway.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, NakamaError> {
        let Some(text) = self.first(name) else { return Ok(None) };
        go_bool(text).map(Some).ok_or_else(|| {
            let quoted = serde_json::Value::from(text);
            NakamaError::invalid(format!(
                "parsing field \"{name}\": strconv.ParseBool: parsing {quoted}: invalid syntax"
            ))
        })
    }
}

/// Reads a truth value in the spellings of Go's `strconv.ParseBool`.
pub fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}
