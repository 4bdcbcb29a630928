//! Checks the key of a caller at Centrifugo's three places.

use actix_web::HttpRequest;
use actix_web::http::header;

use super::ServerApi;

/// Returns whether the request has the key: in the header `X-API-Key`; in `Authorization: apikey KEY` when that header
/// is absent; or in `api_key` of the query when the header is wrong or absent. Compares in constant time. Returns false
/// when the server has no key.
pub fn is_valid(request: &HttpRequest, api: &ServerApi) -> bool {
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

/// Returns the second of exactly two fields, the first of which is `apikey` in any case.
fn apikey(value: &[u8]) -> Option<&[u8]> {
    let mut fields = value.split(|byte| byte.is_ascii_whitespace()).filter(|field| !field.is_empty());
    let (scheme, key) = (fields.next()?, fields.next()?);
    (scheme.eq_ignore_ascii_case(b"apikey") && fields.next().is_none()).then_some(key)
}
