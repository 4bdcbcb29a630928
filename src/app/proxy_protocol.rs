//! The PROXY protocol, version 2: what a proxy says about its client before the first byte of HTTP.
//!
//! A connection without a whole and valid header is closed: its client would pass for the proxy.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use ppp::v2::{Addresses, Command, Header};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::TcpStream;

use crate::config::{ClientAddressSource, ServerConfig, TrustedProxies};

/// Length of the part that says how long the rest is.
const FIXED_BYTES: usize = 16;

/// Maximum length of the rest. HAProxy with all its extensions sends less than a quarter of this.
const MAX_REST_BYTES: usize = 2048;

/// The proxies that say the PROXY header. Cheap to clone.
#[derive(Clone)]
pub struct ProxyProtocol {
    trusted: Arc<TrustedProxies>,
    timeout: Duration,
}

impl ProxyProtocol {
    /// Returns the proxies, or `None` if connections begin with HTTP.
    pub fn of(config: &ServerConfig) -> Option<Self> {
        (config.client_address == ClientAddressSource::ProxyProtocol)
            .then(|| Self { trusted: config.trusted_proxies.clone().into(), timeout: config.request_timeout.0 })
    }

    /// Reads the header of a connection and returns the address of its client: for a health check, the proxy's own.
    pub async fn client(&self, stream: &mut TcpStream, peer: Option<SocketAddr>) -> io::Result<Option<SocketAddr>> {
        if !peer.is_some_and(|peer| self.trusted.contains(peer.ip())) {
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, "not from a proxy in server.trusted_proxies"));
        }
        Ok(read_header(stream, self.timeout).await?.or(peer))
    }
}

/// Returns whether this error of a connection is a refusal by [`ProxyProtocol::client`].
pub fn is_refusal(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::InvalidData)
}

/// Reads the header and not one byte more. Returns the client's address, or `None` for a connection of the proxy itself,
/// a health check.
async fn read_header(stream: &mut (impl AsyncRead + Unpin), timeout: Duration) -> io::Result<Option<SocketAddr>> {
    tokio::time::timeout(timeout, read(stream)).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut header = vec![0; FIXED_BYTES];
    stream.read_exact(&mut header).await?;
    if !header.starts_with(ppp::v2::PROTOCOL_PREFIX) {
        return Err(malformed("no header of version 2"));
    }
    let rest = usize::from(u16::from_be_bytes([header[14], header[15]]));
    if rest > MAX_REST_BYTES {
        return Err(malformed("a header that is too long"));
    }
    header.resize(FIXED_BYTES + rest, 0);
    stream.read_exact(&mut header[FIXED_BYTES..]).await?;
    let header = Header::try_from(header.as_slice()).map_err(|_| malformed("a header that is not valid"))?;
    Ok(match (header.command, header.addresses) {
        (Command::Proxy, Addresses::IPv4(pair)) => Some(SocketAddr::from((pair.source_address, pair.source_port))),
        (Command::Proxy, Addresses::IPv6(pair)) => Some(SocketAddr::from((pair.source_address, pair.source_port))),
        (Command::Proxy, Addresses::Unix(_) | Addresses::Unspecified) | (Command::Local, _) => None,
    })
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use ppp::v2::{Builder, Protocol, Version};

    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    fn header(command: Command, client: &str) -> Vec<u8> {
        let client: SocketAddr = client.parse().unwrap();
        let server: SocketAddr = if client.is_ipv4() { "10.0.0.1:80" } else { "[2001:db8::1]:80" }.parse().unwrap();
        Builder::with_addresses(Version::Two | command, Protocol::Stream, (client, server)).build().unwrap()
    }

    async fn client_of(mut bytes: &[u8]) -> (io::Result<Option<SocketAddr>>, usize) {
        let client = read_header(&mut bytes, TIMEOUT).await;
        (client, bytes.len())
    }

    #[actix::test]
    async fn the_header_names_the_client_and_leaves_what_follows() {
        for client in ["192.0.2.1:4711", "[2001:db8::7]:4711"] {
            let bytes = [header(Command::Proxy, client), b"GET / HTTP/1.1".to_vec()].concat();
            let (found, left) = client_of(&bytes).await;
            assert_eq!((found.unwrap(), left), (Some(client.parse().unwrap()), 14));
        }
        let (found, _) = client_of(&header(Command::Local, "192.0.2.1:4711")).await;
        assert_eq!(found.unwrap(), None, "a health check of the proxy");
    }

    #[actix::test]
    async fn a_connection_without_a_whole_valid_header_fails() {
        let whole = header(Command::Proxy, "192.0.2.1:4711");
        for end in 0..whole.len() {
            assert!(client_of(&whole[..end]).await.0.is_err(), "cut at {end}");
        }
        assert!(client_of(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.0.is_err());
        assert!(client_of(b"PROXY TCP4 192.0.2.1 10.0.0.1 4711 80\r\n").await.0.is_err(), "version 1");
        let mut long = whole.clone();
        long[14..16].copy_from_slice(&u16::MAX.to_be_bytes());
        long.resize(70_000, 0);
        let (refused, left) = client_of(&long).await;
        assert!(refused.is_err());
        assert_eq!(left, long.len() - FIXED_BYTES, "refused before it is read");
    }

    #[actix::test]
    async fn a_proxy_that_sends_nothing_runs_into_the_deadline() {
        let (mut silent, _open) = tokio::io::duplex(64);
        let refused = read_header(&mut silent, Duration::from_millis(1)).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
    }
}
