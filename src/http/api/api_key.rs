//! Checks the key of a caller at Centrifugo's three places.

use std::borrow::Cow;

use actix_web::HttpRequest;
use actix_web::http::header;

use super::ServerApi;

const X_API_KEY: header::HeaderName = header::HeaderName::from_static("x-api-key");

/// Returns whether the request has the key: in the header `X-API-Key`; in `Authorization: apikey KEY` when that header
/// is absent; or in `api_key` of the query when both are absent. A wrong key in a header is not made good by the query,
/// and of several keys at one place all must be right: otherwise a proxy that checks another one would be passed by.
/// Compares in constant time. Returns false when the server has no key.
pub fn is_valid(request: &HttpRequest, api: &ServerApi) -> bool {
    let Some(key) = &api.key else { return false };
    let given = given_keys(request);
    !given.is_empty() && given.iter().all(|given| given.as_deref().is_some_and(|given| key.matches(given)))
}

/// Returns the keys at the first place that has one, or `None` for each that is not in the form of its place.
fn given_keys(request: &HttpRequest) -> Vec<Option<Cow<'_, [u8]>>> {
    let values = |name: header::HeaderName| request.headers().get_all(name).map(|value| value.as_bytes());
    let own: Vec<_> = values(X_API_KEY).map(|value| Some(Cow::Borrowed(value))).collect();
    if !own.is_empty() {
        return own;
    }
    let of_scheme = values(header::AUTHORIZATION).filter(|value| is_apikey(value));
    let of_scheme: Vec<_> = of_scheme.map(|value| apikey(value).map(Cow::Borrowed)).collect();
    if !of_scheme.is_empty() {
        return of_scheme;
    }
    let query = form_urlencoded::parse(request.query_string().as_bytes());
    let keys = query.filter(|(name, _)| name == "api_key");
    keys.map(|(_, given)| Some(Cow::Owned(given.into_owned().into_bytes()))).collect()
}

/// Returns whether the first field is `apikey` in any case. A header of another scheme is for a proxy in front.
fn is_apikey(value: &[u8]) -> bool {
    let mut fields = value.split(|byte| byte.is_ascii_whitespace()).filter(|field| !field.is_empty());
    fields.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"apikey"))
}

/// Returns the second of exactly two fields, the first of which is `apikey` in any case.
fn apikey(value: &[u8]) -> Option<&[u8]> {
    let mut fields = value.split(|byte| byte.is_ascii_whitespace()).filter(|field| !field.is_empty());
    let (scheme, key) = (fields.next()?, fields.next()?);
    (scheme.eq_ignore_ascii_case(b"apikey") && fields.next().is_none()).then_some(key)
}
