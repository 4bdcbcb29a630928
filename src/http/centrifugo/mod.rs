//! Centrifugo's client endpoint: `/connection/websocket`.

mod socket;

use std::sync::Arc;

use actix_web::{Resource, web};

use crate::config::centrifugo::Origins;
use crate::session::{HandshakeRules, Services};

/// What the endpoint works with; shared by all workers.
pub struct Centrifugo {
    /// What sessions need.
    pub services: Arc<Services>,
    /// What clients are held to; the first ping is spread for each.
    pub rules: HandshakeRules,
    /// Pages that may connect.
    pub allowed_origins: Origins,
}

/// `/connection/websocket`. By itself, because nothing may be wrapped around a connection that lasts.
pub fn socket() -> Resource {
    web::resource("/connection/websocket").route(web::to(socket::upgrade))
}
