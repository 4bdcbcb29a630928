//! `GET /connection/websocket`: the checks before a session opens, and the choice of its format.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};

use super::CentrifugoEndpoint;
use crate::dialect::centrifugo::Format;
use crate::http::pending_limit::pending_limit;
use crate::http::upgrade::upgrade_required;
use crate::metrics::RefusalReason;
use crate::presence::dialect::Dialect;
use crate::session::{HandshakeRules, OpenError, Peer, open_in_band};

/// Why no session opens.
enum UpgradeError {
    /// Pages of this origin may not connect.
    Origin,
    /// The session refuses to open.
    Open(OpenError),
}

/// Opens a session, or responds with the reason in plain text.
pub async fn upgrade(
    request: HttpRequest,
    payload: web::Payload,
    centrifugo: web::Data<CentrifugoEndpoint>,
) -> HttpResponse {
    let error = match try_upgrade(&request, payload, &centrifugo) {
        Ok(response) => return response,
        Err(error) => error,
    };
    let peer = Peer::of(&request);
    let reason = match &error {
        UpgradeError::Origin => RefusalReason::Origin,
        UpgradeError::Open(error) => error.reason(),
    };
    centrifugo.services.refusals.record(Dialect::Centrifugo, reason, peer.refused());
    match error {
        UpgradeError::Origin => plain(StatusCode::FORBIDDEN, forbidden(peer.origin.as_deref())),
        UpgradeError::Open(OpenError::Handshake) => plain(StatusCode::BAD_REQUEST, "Bad Request\n"),
        UpgradeError::Open(OpenError::Version) => upgrade_required(),
        UpgradeError::Open(OpenError::PendingLimit(limit)) => pending_limit(limit),
        UpgradeError::Open(OpenError::Engine(error)) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

fn try_upgrade(
    request: &HttpRequest,
    payload: web::Payload,
    centrifugo: &CentrifugoEndpoint,
) -> Result<HttpResponse, UpgradeError> {
    if !is_origin_allowed(request, centrifugo) {
        return Err(UpgradeError::Origin);
    }
    let offered = subprotocol(request);
    let forced = has_parameter(request, "format", "protobuf") || has_parameter(request, "cf_protocol", "protobuf");
    let format = match offered {
        Some((_, format)) if !forced => format,
        None if !forced => Format::Json,
        Some(_) | None => Format::Protobuf,
    };
    let rules = &centrifugo.rules;
    let rules = HandshakeRules {
        dialect_pings: !has_parameter(request, "cf_ws_frame_ping_pong", "true"),
        // Between half an interval and a whole one, so that the pings of many connections do not come together.
        first_ping: rules.ping_interval.mul_f64(0.5 + rand::random::<f64>() / 2.0),
        ..rules.clone()
    };
    let opened = open_in_band(request, payload, format.protocol(), rules, centrifugo.services.clone());
    let mut response = opened.map_err(UpgradeError::Open)?;
    if let Some((name, _)) = offered {
        let name = header::HeaderValue::from_static(name);
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, name);
    }
    Ok(response)
}

/// Returns whether the page that sent the request may connect: its origin is configured, or this server served it. A
/// client without an origin is not a page and may connect.
fn is_origin_allowed(request: &HttpRequest, centrifugo: &CentrifugoEndpoint) -> bool {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return true };
    let allows = |origin: &str| is_own_origin(request, origin) || centrifugo.allowed_origins.allow(origin);
    origin.to_str().is_ok_and(allows)
}

/// Returns whether the origin is the host of the request. A page that reaches this host by a name of its own (DNS
/// rebinding) gains nothing: a client needs a token, not a cookie.
fn is_own_origin(request: &HttpRequest, origin: &str) -> bool {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    matches!((authority, host), (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host))
}

/// Returns the first offered subprotocol that this server knows, and its format.
fn subprotocol(request: &HttpRequest) -> Option<(&'static str, Format)> {
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let names = offered.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    names.map(str::trim).find_map(Format::of_subprotocol)
}

/// Returns whether the query has this parameter with this value.
fn has_parameter(request: &HttpRequest, name: &str, value: &str) -> bool {
    form_urlencoded::parse(request.query_string().as_bytes()).any(|(known, given)| known == name && given == value)
}

/// Returns the body of a refusal, with the setting that would allow the origin.
fn forbidden(origin: Option<&str>) -> String {
    let origin = origin.map_or_else(|| "this origin".into(), |origin| format!("the origin {origin:?}"));
    format!("Forbidden: centrifugo.client.allowed_origins does not contain {origin}\n")
}

fn plain(status: StatusCode, text: impl Into<String>) -> HttpResponse {
    HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(text.into())
}
