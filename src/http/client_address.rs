//! The address of the client of a request: the peer of the TCP connection, or what trusted proxies say.
//!
//! Everything behind reads it as the peer address of the request.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    FORWARDED, HeaderMap, HeaderName, VIA, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpResponse};

use crate::config::{ClientAddressSource, Config, TrustedProxies};

/// What a proxy adds to a request.
const FORWARDING_HEADERS: [HeaderName; 5] = [FORWARDED, X_FORWARDED_FOR, X_FORWARDED_HOST, X_FORWARDED_PROTO, VIA];

/// How the address of a client is read, and whether clients behind proxies are served.
#[derive(Clone, Debug)]
pub struct ClientAddresses {
    source: ClientAddressSource,
    trusted: Arc<TrustedProxies>,
    /// The settings with public development keys. A server with any does not serve requests that came through a proxy.
    development_keys: Arc<[&'static str]>,
}

/// Why a request is refused before anything reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum ProxyRefusal {
    /// The request came through a proxy to a server with development keys.
    DevelopmentKeys,
    /// The two headers name different clients. One of them is forged.
    Contradiction,
}

impl ClientAddresses {
    /// Reads addresses as configured.
    pub fn new(config: &Config) -> Self {
        Self {
            source: config.server.client_address,
            trusted: config.server.trusted_proxies.clone().into(),
            development_keys: config.used_development_keys().map(|(name, _)| name).collect(),
        }
    }

    /// Returns the canonical address of the client.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> Result<IpAddr, ProxyRefusal> {
        let has_forwarding_header = || FORWARDING_HEADERS.iter().any(|name| headers.contains_key(name));
        if !self.development_keys.is_empty() && has_forwarding_header() {
            return Err(ProxyRefusal::DevelopmentKeys);
        }
        let peer = peer.to_canonical();
        if self.source != ClientAddressSource::Forwarded {
            return Ok(peer);
        }
        let forwarded = headers.contains_key(FORWARDED).then(|| self.last_untrusted(peer, forwarded(headers)));
        let listed = headers.contains_key(X_FORWARDED_FOR).then(|| self.last_untrusted(peer, x_forwarded_for(headers)));
        match (forwarded, listed) {
            (Some(one), Some(other)) if one != other => Err(ProxyRefusal::Contradiction),
            (one, other) => Ok(one.or(other).unwrap_or(peer)),
        }
    }

    /// Walks from the peer towards the client as long as a trusted proxy names the next hop.
    fn last_untrusted(&self, peer: IpAddr, hops: impl Iterator<Item = Option<IpAddr>>) -> IpAddr {
        let mut client = peer;
        for hop in hops {
            match hop {
                Some(hop) if self.trusted.contains(client) => client = hop.to_canonical(),
                Some(_) | None => break,
            }
        }
        client
    }
}

/// Returns the hops of all `Forwarded` headers (RFC 7239), the nearest first. `None` is one that names no address.
fn forwarded(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let hop = |element: Result<rfc7239::Forwarded<'_>, rfc7239::RfcError>| match element.ok()?.forwarded_for?.name {
        rfc7239::NodeName::Ip(address) => Some(address),
        rfc7239::NodeName::Unknown | rfc7239::NodeName::Obfuscated(_) => None,
    };
    let lines = headers.get_all(FORWARDED).map(|line| line.to_str().unwrap_or_default()).collect::<Vec<_>>();
    lines.into_iter().rev().flat_map(move |line| rfc7239::parse(line).rev().map(hop).collect::<Vec<_>>())
}

/// Returns the hops of all `X-Forwarded-For` headers, the nearest first. Some proxies add a port.
fn x_forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = Option<IpAddr>> {
    let hop = |text: &str| {
        let text = text.trim();
        let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
        let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
        text.parse().ok().or_else(with_port).or_else(bracketed)
    };
    let lines = headers.get_all(X_FORWARDED_FOR).map(|line| line.to_str().unwrap_or_default()).collect::<Vec<_>>();
    lines.into_iter().rev().flat_map(move |line| line.rsplit(',').map(hop).collect::<Vec<_>>())
}

/// Sets the client's address as the peer address of the request, or refuses the request.
pub async fn set_client_address(
    addresses: Rc<ClientAddresses>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(peer) = request.peer_addr() else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    match addresses.client(peer.ip(), request.headers()) {
        Ok(client) => {
            let port = if client == peer.ip().to_canonical() { peer.port() } else { 0 };
            request.head_mut().peer_addr = Some(SocketAddr::new(client, port));
            Ok(next.call(request).await?.map_into_boxed_body())
        }
        Err(refusal) => Ok(request.into_response(refuse(&refusal, &addresses.development_keys))),
    }
}

fn refuse(refusal: &ProxyRefusal, development_keys: &[&str]) -> HttpResponse {
    let (status, text) = match refusal {
        ProxyRefusal::DevelopmentKeys => (
            StatusCode::FORBIDDEN,
            format!(
                "This server runs with public development keys and serves no request that comes through a proxy. Set keys of \
                 your own: {}.\n",
                development_keys.join(", ")
            ),
        ),
        ProxyRefusal::Contradiction => {
            (StatusCode::BAD_REQUEST, "Forwarded and X-Forwarded-For name different clients.\n".to_owned())
        }
    };
    HttpResponse::build(status).content_type("text/plain; charset=utf-8").body(text)
}

#[cfg(test)]
#[path = "client_address/tests.rs"]
mod tests;
