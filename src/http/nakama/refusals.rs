//! Records the refused requests of the REST API.

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web;

use super::NakamaEndpoints;
use crate::metrics::RefusalReason;
use crate::presence::dialect::Dialect;
use crate::session::Peer;

/// Records a response that refuses its request. The response carries the reason.
pub async fn record(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let response = next.call(request).await?;
    let reason = response.response().extensions().get::<RefusalReason>().copied();
    let nakama = response.request().app_data::<web::Data<NakamaEndpoints>>();
    if let (Some(reason), Some(nakama)) = (reason, nakama) {
        let peer = Peer::of(response.request());
        nakama.services.refusals.record(Dialect::Nakama, reason, peer.refused());
    }
    Ok(response)
}
