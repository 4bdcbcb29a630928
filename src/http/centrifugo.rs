//! Centrifugo's client endpoint: `/connection/websocket`.

mod socket;

use std::sync::Arc;

use actix_web::{Resource, web};

use crate::config::centrifugo::Origins;
use crate::session::{HandshakeRules, Services};

/// What the endpoint works with. All workers share it.
pub struct CentrifugoEndpoint {
    /// What sessions need.
    pub services: Arc<Services>,
    /// Rules of the handshake. Each connection gets a first ping of its own time.
    pub rules: HandshakeRules,
    /// Origins of pages that may connect.
    pub allowed_origins: Origins,
}

/// `/connection/websocket`. No middleware may wrap a long-lived connection.
pub fn socket() -> Resource {
    web::resource("/connection/websocket").route(web::to(socket::upgrade))
}
