//! Who calls: the server key of an application, or the token of a user. Scheme words are case-sensitive, as Nakama's are.

use actix_web::HttpRequest;
use actix_web::http::header;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Nakama;
use super::respond::Failure;
use crate::auth::token::Claims;

/// The caller must hold the server key: `Basic base64("<key>:")`, whatever the password.
pub fn server_key(request: &HttpRequest, nakama: &Nakama) -> Result<(), Failure> {
    let Some(value) = request.headers().get(header::AUTHORIZATION) else {
        return Err(Failure::unauthenticated("Server key required"));
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
    Err(Failure::unauthenticated("Server key invalid"))
}

/// The caller must hold a session token: `Bearer <token>`.
pub fn caller(request: &HttpRequest, nakama: &Nakama) -> Result<Claims, Failure> {
    let Some(value) = request.headers().get(header::AUTHORIZATION) else {
        return Err(Failure::unauthenticated("Auth token required"));
    };
    let token = value.to_str().ok().and_then(|text| text.strip_prefix("Bearer "));
    let claims = token.and_then(|token| nakama.auth.verify_session(token).ok());
    claims.ok_or_else(|| Failure::unauthenticated("Auth token invalid"))
}
