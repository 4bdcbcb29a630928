//! Tencent Chat's endpoints: the WebSocket `/im`, and the REST API of an application's backend under `/v4/`.

mod online;
mod socket;

use std::sync::Arc;

use actix_web::{Resource, web};

use crate::api::online::OnlineStatusQuery;
use crate::http::body::BodyReader;
use crate::session::{MemberRules, Services};

/// What the endpoints work with. All workers share it.
pub struct TencentEndpoints {
    /// What sessions need.
    pub services: Arc<Services>,
    /// Limits of members.
    pub rules: Arc<MemberRules>,
    /// The operation of the REST API.
    pub online: OnlineStatusQuery,
    /// Reads request bodies.
    pub bodies: BodyReader,
}

/// `/im`. Apart from the REST API, because no middleware may wrap a long-lived connection.
pub fn socket() -> Resource {
    web::resource("/im").route(web::get().to(socket::upgrade))
}

/// The REST API.
pub fn rest() -> Resource {
    web::resource("/v4/openim/query_online_status").route(web::post().to(online::query))
}
