//! Redis servers for the contract suites of the stores. What only several nodes can do is in `tests/cluster/stores`.

use std::time::Duration;

use super::RedisStores;
use crate::clock::Clock;
use crate::config::{Config, Overrides, load};
use crate::metrics::Metrics;
use server::RedisServer;

#[path = "../../../tests/cluster/server.rs"]
#[expect(dead_code, reason = "the tests of the cluster use the rest")]
mod server;

/// Servers of a test's own.
pub struct OnRedis {
    _servers: Vec<RedisServer>,
    config: Config,
}

impl OnRedis {
    /// So many Redis, records spread over them.
    pub fn start(count: usize) -> Self {
        let servers: Vec<RedisServer> = (0..count).map(|_| RedisServer::start()).collect();
        let urls: Vec<String> = servers.iter().map(RedisServer::url).collect();
        let environment = [("HEREABOUTS_CLUSTER__REDIS".to_owned(), urls.join(" "))];
        let config = load(&Overrides::default(), environment.into_iter().collect()).unwrap();
        Self { _servers: servers, config }
    }

    /// The stores of one node.
    pub fn open(&self) -> RedisStores {
        self.open_with(Duration::from_secs(100), &Clock::system(), &Metrics::new())
    }

    /// Likewise; last-seen records expire by this clock.
    pub fn open_with(&self, expire: Duration, clock: &Clock, metrics: &Metrics) -> RedisStores {
        RedisStores::open(&self.config.cluster, expire, clock, metrics).unwrap()
    }
}
