//! Reads bodies and queries as Nakama's gateway does: JSON whatever the content type, nothing at all is `{}`, unknown
//! fields and parameters are ignored, snake_case and lowerCamelCase.

use actix_web::error::{Error, PayloadError};
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest, dev};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

use super::respond::Failure;

/// A JSON body.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + Default + 'static> FromRequest for Json<T> {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let bytes = Bytes::from_request(request, payload);
        async move {
            let bytes = bytes.await.map_err(|error| unreadable(&error))?;
            if bytes.iter().all(u8::is_ascii_whitespace) {
                return Ok(Self(T::default()));
            }
            let body = serde_json::from_slice::<Option<T>>(&bytes);
            let body = body.map_err(|error| Failure::invalid(format!("invalid JSON body: {error}")))?;
            Ok(Self(body.unwrap_or_default()))
        }
        .boxed_local()
    }
}

fn unreadable(error: &Error) -> Failure {
    match error.as_error::<PayloadError>() {
        Some(PayloadError::Overflow) => Failure::invalid("http: request body too large"),
        Some(_) | None => Failure::invalid("http: unreadable request body"),
    }
}

/// The parameters of a query, in order, decoded.
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Of this request.
    pub fn of(request: &HttpRequest) -> Self {
        Self(form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect())
    }

    /// The first value of a name.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All values of a name.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.clone()).collect()
    }

    /// A truth value; anything that is none is refused with the gateway's sentence.
    pub fn boolean(&self, name: &str) -> Result<Option<bool>, Failure> {
        let Some(text) = self.first(name) else { return Ok(None) };
        go_bool(text).map(Some).ok_or_else(|| {
            let quoted = serde_json::Value::from(text);
            Failure::invalid(format!("parsing field \"{name}\": strconv.ParseBool: parsing {quoted}: invalid syntax"))
        })
    }
}

/// A truth value in the spellings of Go's `strconv.ParseBool`.
pub fn go_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}
