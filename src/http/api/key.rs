//! Whether the caller holds the key, at one of Centrifugo's three places.

use actix_web::HttpRequest;
use actix_web::http::header;

use super::ServerApi;

/// The header `X-API-Key`; only where that is absent, `Authorization: apikey KEY`; and where neither is right, the query's
/// `api_key`. Compared in constant time. Without a key on the server nobody is let in.
pub fn is_held(request: &HttpRequest, api: &ServerApi) -> bool {
    let Some(key) = &api.key else { return false };
    let header = match request.headers().get("x-api-key") {
        Some(value) => Some(value.as_bytes()),
        None => request.headers().get(header::AUTHORIZATION).and_then(|value| apikey(value.as_bytes())),
    };
    if header.is_some_and(|given| key.matches(given)) {
        return true;
    }
    let mut query = form_urlencoded::parse(request.query_string().as_bytes());
    query.find(|(name, _)| name == "api_key").is_some_and(|(_, given)| key.matches(given.as_bytes()))
}

/// The second of exactly two fields, of which the first is `apikey` in any case.
fn apikey(value: &[u8]) -> Option<&[u8]> {
    let mut fields = value.split(|byte| byte.is_ascii_whitespace()).filter(|field| !field.is_empty());
    let (scheme, key) = (fields.next()?, fields.next()?);
    (scheme.eq_ignore_ascii_case(b"apikey") && fields.next().is_none()).then_some(key)
}
