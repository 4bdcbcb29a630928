//! Checks callers: the server key of an application, or the token of a user. The words `Basic` and `Bearer` are
//! case-sensitive, as Nakama's are.

use actix_web::HttpRequest;
use actix_web::http::header;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::NakamaEndpoints;
use super::respond::NakamaError;
use crate::auth::token::Claims;

/// Refuses callers without the server key: `Basic base64("<key>:")` with any password.
pub fn server_key(request: &HttpRequest, nakama: &NakamaEndpoints) -> Result<(), NakamaError> {
    let Some(value) = request.headers().get(header::AUTHORIZATION) else {
        return Err(NakamaError::unauthenticated("Server key required"));
    };
    let credentials = value.to_str().ok().and_then(|text| text.strip_prefix("Basic "));
    let decoded = credentials.and_then(|encoded| STANDARD.decode(encoded).ok());
    let key = decoded.as_deref().and_then(|decoded| {
        let colon = decoded.iter().position(|&byte| byte == b':')?;
        Some(&decoded[..colon])
    });
    if key.is_some_and(|key| nakama.server_key.matches(key)) {
        return Ok(());
    }
    Err(NakamaError::unauthenticated("Server key invalid"))
}

/// Returns the claims of the caller's session token, `Bearer <token>`, or refuses the caller.
pub async fn caller(request: &HttpRequest, nakama: &NakamaEndpoints) -> Result<Claims, NakamaError> {
    let Some(value) = request.headers().get(header::AUTHORIZATION) else {
        return Err(NakamaError::unauthenticated("Auth token required"));
    };
    let invalid = "Auth token invalid";
    let token = value.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
    let token = token.ok_or_else(|| NakamaError::unauthenticated(invalid))?;
    let verified = nakama.auth.verify_session(token).await;
    verified.map_err(|rejection| rejection.into_error(invalid).into())
}
