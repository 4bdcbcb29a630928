//! The response to a client while too many connections wait for their authentication.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};

use crate::session::PendingLimit;

/// Seconds after which the client may try again: by then the connections have authenticated or are closed.
const RETRY_AFTER: &str = "10";

/// Refuses a WebSocket handshake in plain text.
pub fn pending_limit(limit: PendingLimit) -> HttpResponse {
    let status = match limit {
        PendingLimit::Server => StatusCode::SERVICE_UNAVAILABLE,
        PendingLimit::Network => StatusCode::TOO_MANY_REQUESTS,
    };
    HttpResponse::build(status)
        .content_type("text/plain; charset=utf-8")
        .insert_header((header::RETRY_AFTER, RETRY_AFTER))
        .body(format!("{limit}\n"))
}
