//! Tencent Chat's endpoints: the socket `/tencent`, and the server's side under `/v4/`.

mod online;
mod socket;

use std::sync::Arc;

use actix_web::{Resource, web};

use crate::api::online::Online;
use crate::session::Services;
use crate::session::member::MemberRules;

/// What the endpoints work with; shared by all workers.
pub struct Tencent {
    /// What sessions need.
    pub services: Arc<Services>,
    /// What accounts are held to.
    pub rules: Arc<MemberRules>,
    /// The operation of the server's side.
    pub online: Online,
}

/// `/tencent`. By itself, because nothing may be wrapped around a connection that lasts.
pub fn socket() -> Resource {
    web::resource("/im").route(web::get().to(socket::upgrade))
}

/// The server's side.
pub fn rest() -> Resource {
    web::resource("/v4/openim/query_online_status").route(web::post().to(online::query))
}
