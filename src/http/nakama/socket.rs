//! `GET /ws?token=…&status=…&format=…&lang=…`: the checks before a session opens, in Nakama's order.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};

use super::NakamaEndpoints;
use super::read::{QueryParameters, go_bool};
use crate::api::ApiError;
use crate::api::token_authority::TokenRejection;
use crate::dialect::nakama::Format;
use crate::http::pending_limit::pending_limit;
use crate::http::upgrade::upgrade_required;
use crate::metrics::RefusalReason;
use crate::outbox::Opening;
use crate::presence::dialect::Dialect;
use crate::presence::status::StatusText;
use crate::session::{OpenError, Peer, open_known_user};

/// Opens a session, or responds with the reason in plain text.
pub async fn upgrade(request: HttpRequest, payload: web::Payload, nakama: web::Data<NakamaEndpoints>) -> HttpResponse {
    match try_upgrade(&request, payload, &nakama).await {
        Ok(response) => response,
        Err((reason, refusal)) => {
            nakama.services.refusals.record(Dialect::Nakama, reason, Peer::of(&request).refused());
            refusal
        }
    }
}

async fn try_upgrade(
    request: &HttpRequest,
    payload: web::Payload,
    nakama: &NakamaEndpoints,
) -> Result<HttpResponse, (RefusalReason, HttpResponse)> {
    let query = QueryParameters::of(request);
    let format = Format::parse(query.first("format").unwrap_or_default());
    let format = format
        .ok_or_else(|| (RefusalReason::Handshake, plain(StatusCode::BAD_REQUEST, "Invalid format parameter\n")))?;
    let claims = nakama.auth.verify_session(&token(request, &query).unwrap_or_default()).await;
    let claims = claims.map_err(|rejection| match rejection {
        TokenRejection::Invalid => {
            (RefusalReason::Token, plain(StatusCode::UNAUTHORIZED, "Missing or invalid token\n"))
        }
        TokenRejection::Unchecked(error) => {
            let text = format!("{}\n", ApiError::from(error));
            (RefusalReason::Busy, plain(StatusCode::SERVICE_UNAVAILABLE, text))
        }
    })?;
    let services = &nakama.services;
    let visible = query.first("status").and_then(go_bool).unwrap_or(false);
    let opening = Opening {
        connection: services.connection_ids.next(&services.clock),
        username: claims.username,
        status: visible.then(StatusText::empty),
    };
    let opened = open_known_user(request, payload, format.protocol(), claims.user, opening, services.clone()).await;
    opened.map_err(|error| match error {
        OpenError::Handshake => {
            let mut response = plain(StatusCode::BAD_REQUEST, "Bad Request\n");
            let version = header::HeaderValue::from_static("13");
            response.headers_mut().insert(header::SEC_WEBSOCKET_VERSION, version);
            (RefusalReason::Handshake, response)
        }
        OpenError::Version => (RefusalReason::Handshake, upgrade_required()),
        OpenError::PendingLimit(limit) => (RefusalReason::PendingLimit, pending_limit(limit)),
        OpenError::Engine(error) => (RefusalReason::Busy, plain(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n"))),
    })
}

/// Returns the token: that of the header, or that of the query when there is no header. A header of another scheme has
/// none.
fn token(request: &HttpRequest, query: &QueryParameters) -> Option<String> {
    match request.headers().get(header::AUTHORIZATION) {
        Some(value) => value.to_str().ok()?.strip_prefix("Bearer ").map(str::to_owned),
        None => query.first("token").map(str::to_owned),
    }
}

fn plain(status: StatusCode, text: impl Into<String>) -> HttpResponse {
    HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(text.into())
}
