//! Registry of the connections that belong to no user yet: bounded in all and for each network, and a stop of the server
//! closes them too.
//!
//! The engine finds the other connections through their users.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;

use crate::config::LimitsConfig;
use crate::outbox::{Address, CloseRequest};

/// Bits of an IPv6 address that one customer of a provider has for itself, at least.
const IPV6_HOST_BITS: u32 = 64;

/// The connections that have not completed their handshake, of all dialects. Past a bound the server opens no further
/// ones. Each stays a few seconds.
#[derive(Debug)]
pub struct PendingConnections {
    /// Maximum number in all.
    limit: usize,
    /// Maximum number of one network.
    network_limit: usize,
    pending: Mutex<Pending>,
}

#[derive(Debug, Default)]
struct Pending {
    addresses: HashSet<Address>,
    /// Permits that are held.
    permits: usize,
    /// Permits that are held, by network. Contains no zeros.
    networks: HashMap<IpAddr, usize>,
}

/// Too many connections wait for their authentication.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PendingLimit {
    /// On this server.
    #[error("too many connections wait for their authentication")]
    Server,
    /// From the client's network.
    #[error("too many connections of this address wait for their authentication")]
    Network,
}

/// The right of one connection to be pending, until it is dropped.
#[derive(Debug)]
pub struct PendingPermit {
    connections: Arc<PendingConnections>,
    /// The network that counts the permit. `None` means that none does.
    network: Option<IpAddr>,
}

impl PendingConnections {
    /// Takes the bounds from the configuration.
    pub fn new(limits: &LimitsConfig) -> Self {
        Self {
            limit: limits.unauthenticated_connections,
            network_limit: limits.unauthenticated_connections_per_address,
            pending: Mutex::default(),
        }
    }

    /// Admits a connection from this address, within the bounds. The bound of a network does not hold on loopback, nor
    /// where the address is unknown.
    pub fn admit(self: &Arc<Self>, ip: Option<IpAddr>) -> Result<PendingPermit, PendingLimit> {
        let network = ip.and_then(network);
        let mut pending = self.pending.lock();
        if pending.permits >= self.limit {
            return Err(PendingLimit::Server);
        }
        if let Some(network) = network {
            let count = pending.networks.entry(network).or_default();
            if *count >= self.network_limit {
                return Err(PendingLimit::Network);
            }
            *count += 1;
        }
        pending.permits += 1;
        Ok(PendingPermit { connections: self.clone(), network })
    }

    /// Adds a connection.
    pub fn add(&self, address: &Address) {
        self.pending.lock().addresses.insert(address.clone());
    }

    /// Removes a connection.
    pub fn remove(&self, address: &Address) {
        self.pending.lock().addresses.remove(address);
    }

    /// Closes all pending connections.
    pub fn close_all(&self, close_request: CloseRequest) {
        let pending: Vec<Address> = self.pending.lock().addresses.iter().cloned().collect();
        pending.iter().for_each(|address| address.close(close_request.clone()));
    }
}

impl Drop for PendingPermit {
    fn drop(&mut self) {
        let mut pending = self.connections.pending.lock();
        pending.permits -= 1;
        let Some(network) = self.network else { return };
        if let Some(count) = pending.networks.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                pending.networks.remove(&network);
            }
        }
    }
}

/// Returns the network that connections of this address are counted for: the address itself, or the first 64 bits of an
/// IPv6 address. `None` means loopback, where every client is this machine or a proxy.
fn network(ip: IpAddr) -> Option<IpAddr> {
    let ip = ip.to_canonical();
    if ip.is_loopback() {
        return None;
    }
    Some(match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> IPV6_HOST_BITS << IPV6_HOST_BITS).into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connections(limit: usize, network_limit: usize) -> Arc<PendingConnections> {
        Arc::new(PendingConnections { limit, network_limit, pending: Mutex::default() })
    }

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn pending_connections_are_bounded_in_all() {
        let connections = connections(3, 10);
        let mut permits: Vec<PendingPermit> =
            [ip("127.0.0.1"), None, ip("192.0.2.1")].map(|ip| connections.admit(ip).unwrap()).into();
        assert_eq!(connections.admit(ip("127.0.0.1")).unwrap_err(), PendingLimit::Server);
        permits.pop();
        assert!(connections.admit(ip("192.0.2.2")).is_ok());
    }

    #[test]
    fn pending_connections_are_bounded_for_each_network_but_loopback() {
        let connections = connections(100, 2);
        let first = connections.admit(ip("192.0.2.1")).unwrap();
        let _second = connections.admit(ip("::ffff:192.0.2.1")).unwrap();
        assert_eq!(connections.admit(ip("192.0.2.1")).unwrap_err(), PendingLimit::Network);
        assert!(connections.admit(ip("192.0.2.2")).is_ok());
        drop(first);
        let _third = connections.admit(ip("192.0.2.1")).unwrap();
        let _v6 = ["2001:db8::1", "2001:db8::2:0:0:1"].map(|address| connections.admit(ip(address)).unwrap());
        assert_eq!(connections.admit(ip("2001:db8::3")).unwrap_err(), PendingLimit::Network, "the same /64");
        assert!(connections.admit(ip("2001:db8:0:1::1")).is_ok());
        let _local: Vec<_> = (0..10).map(|_| connections.admit(ip("127.0.0.1")).unwrap()).collect();
        let _v6_local: Vec<_> = (0..10).map(|_| connections.admit(ip("::1")).unwrap()).collect();
    }

    #[test]
    fn networks_without_connections_take_no_memory() {
        let connections = connections(100, 2);
        drop(connections.admit(ip("192.0.2.1")));
        assert!(connections.pending.lock().networks.is_empty());
    }
}
