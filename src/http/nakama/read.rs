//! Reads bodies and queries like Nakama's gateway: JSON with any content type, an empty body is `{}`, unknown fields
//! and parameters are ignored, names in snake_case or lowerCamelCase.

use actix_web::error::{Error, PayloadError};
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest, dev};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

use super::respond::NakamaError;

/// A JSON body.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned + Default + 'static> FromRequest for JsonBody<T> {
    type Error = NakamaError;
    type Future = LocalBoxFuture<'static, Result<Self, NakamaError>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let bytes = Bytes::from_request(request, payload);
        async move {
            let bytes = bytes.await.map_err(|error| unreadable(&error))?;
            if bytes.iter().all(u8::is_ascii_whitespace) {
                return Ok(Self(T::default()));
            }
            let body = serde_json::from_slice::<Option<T>>(&bytes);
            let body = body.map_err(|error| NakamaError::invalid(format!("invalid JSON body: {error}")))?;
            Ok(Self(body.unwrap_or_default()))
        }
        .boxed_local()
    }
}

fn unreadable(error: &Error) -> NakamaError {
    match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => NakamaError::invalid("http: request body too large"),
        Some(_) | None => NakamaError::invalid("http: unreadable request body"),
    }
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
