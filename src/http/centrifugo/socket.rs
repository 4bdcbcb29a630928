//! `GET /connection/websocket`: what is checked before a session opens, and how it is to speak.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};

use super::Centrifugo;
use crate::dialect::centrifugo::Format;
use crate::presence::dialect::Dialect;
use crate::session::{HandshakeRules, open_in_band};

/// Why no session opens.
enum Refused {
    /// The page's origin is not allowed.
    Origin,
    /// It is no WebSocket handshake.
    Handshake,
}

/// Opens a session, or says in plain text why not.
pub async fn upgrade(request: HttpRequest, payload: web::Payload, centrifugo: web::Data<Centrifugo>) -> HttpResponse {
    let refused = match try_upgrade(&request, payload, &centrifugo) {
        Ok(response) => return response,
        Err(refused) => refused,
    };
    centrifugo.services.metrics.dialect(Dialect::Centrifugo).refused.inc();
    match refused {
        Refused::Origin => plain(StatusCode::FORBIDDEN, "Forbidden\n"),
        Refused::Handshake => plain(StatusCode::BAD_REQUEST, "Bad Request\n"),
    }
}

fn try_upgrade(request: &HttpRequest, payload: web::Payload, centrifugo: &Centrifugo) -> Result<HttpResponse, Refused> {
    if !may_connect(request, centrifugo) {
        return Err(Refused::Origin);
    }
    let offered = subprotocol(request);
    let forced = asks(request, "format", "protobuf") || asks(request, "cf_protocol", "protobuf");
    let format = match offered {
        Some((_, format)) if !forced => format,
        None if !forced => Format::Json,
        Some(_) | None => Format::Protobuf,
    };
    let rules = &centrifugo.rules;
    let rules = HandshakeRules {
        dialect_pings: !asks(request, "cf_ws_frame_ping_pong", "true"),
        // Between half an interval and a whole one.
        first_ping: rules.ping_interval.mul_f64(0.5 + rand::random::<f64>() / 2.0),
        ..rules.clone()
    };
    let opened = open_in_band(request, payload, format.protocol(), rules, centrifugo.services.clone());
    let mut response = opened.map_err(|_| Refused::Handshake)?;
    if let Some((name, _)) = offered {
        let name = header::HeaderValue::from_static(name);
        response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, name);
    }
    Ok(response)
}

/// A page may connect whose origin is allowed, and one that this server itself has served. What sends none is no page.
fn may_connect(request: &HttpRequest, centrifugo: &Centrifugo) -> bool {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return true };
    let allows = |origin: &str| is_own(request, origin) || centrifugo.allowed_origins.allow(origin);
    origin.to_str().is_ok_and(allows)
}

/// Whether the origin is the host that the request is for. A page that got there by a name of its own (DNS rebinding)
/// gains nothing: it is the token that lets a client in, and no cookie.
fn is_own(request: &HttpRequest, origin: &str) -> bool {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    matches!((authority, host), (Some(authority), Some(host)) if authority.eq_ignore_ascii_case(host))
}

/// The first subprotocol offered that is known here.
fn subprotocol(request: &HttpRequest) -> Option<(&'static str, Format)> {
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let names = offered.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    names.map(str::trim).find_map(Format::of_subprotocol)
}

/// Whether the query has this parameter with this value.
fn asks(request: &HttpRequest, name: &str, value: &str) -> bool {
    form_urlencoded::parse(request.query_string().as_bytes()).any(|(known, given)| known == name && given == value)
}

fn plain(status: StatusCode, text: &'static str) -> HttpResponse {
    HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(text)
}
