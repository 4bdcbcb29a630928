//! `GET /im`: opens a session without a user. A message `login` names the member later.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};

use super::TencentEndpoints;
use crate::dialect::tencent::{SUBPROTOCOL, protocol};
use crate::http::pending_limit::pending_limit;
use crate::http::upgrade::upgrade_required;
use crate::presence::dialect::Dialect;
use crate::session::{OpenError, Peer, open_member};

/// Opens a session, or responds with the reason in plain text.
pub async fn upgrade(
    request: HttpRequest,
    payload: web::Payload,
    tencent: web::Data<TencentEndpoints>,
) -> HttpResponse {
    match open_member(&request, payload, protocol(), tencent.rules.clone(), tencent.services.clone()) {
        Ok(mut response) => {
            if offers_subprotocol(&request) {
                let name = header::HeaderValue::from_static(SUBPROTOCOL);
                response.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, name);
            }
            response
        }
        Err(error) => {
            tencent.services.refusals.record(Dialect::Tencent, error.reason(), Peer::of(&request).refused());
            let status = match &error {
                OpenError::Handshake => StatusCode::BAD_REQUEST,
                OpenError::Version => return upgrade_required(),
                OpenError::PendingLimit(limit) => return pending_limit(*limit),
                OpenError::Engine(_) => StatusCode::SERVICE_UNAVAILABLE,
            };
            HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(format!("{error}\n"))
        }
    }
}

fn offers_subprotocol(request: &HttpRequest) -> bool {
    let offered = request.headers().get_all(header::SEC_WEBSOCKET_PROTOCOL);
    let names = offered.filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    names.map(str::trim).any(|name| name == SUBPROTOCOL)
}
