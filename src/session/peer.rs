//! Where a client comes from, as its request says.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header;

use crate::refusals::RefusedClient;

/// Maximum length of an origin that is kept, in bytes.
const MAX_ORIGIN_BYTES: usize = 255;

/// The origin and the address of a client.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Peer {
    /// The IP address, if it is known.
    pub ip: Option<IpAddr>,
    /// The page that the client runs on. `None` for other programs.
    pub origin: Option<Box<str>>,
}

impl Peer {
    /// Returns the sender of a request.
    pub fn of(request: &HttpRequest) -> Self {
        let origin = request.headers().get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
        Self {
            ip: request.peer_addr().map(|address| address.ip()),
            origin: origin.filter(|origin| origin.len() <= MAX_ORIGIN_BYTES).map(Into::into),
        }
    }

    /// Returns the client for the record of a refusal, before it has authenticated.
    pub fn refused(&self) -> RefusedClient<'_> {
        RefusedClient { origin: self.origin.as_deref(), user: None, address: self.ip }
    }
}
