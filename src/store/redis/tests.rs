//! Redis servers for the contract suites of the stores. Tests of several nodes are in `tests/it/cluster/stores`.

use std::time::Duration;

use super::RedisStores;
use super::records::{RecordKey, Records, SwapResult};
use crate::clock::Clock;
use crate::cluster::message::activity_message;
use crate::config::{Config, Overrides, load};
use crate::metrics::Metrics;
use crate::presence::id::UserId;
use crate::redis::storage::Storage;
use grid::RedisCluster;
use server::RedisServer;

#[path = "../../../tests/it/cluster/server.rs"]
#[expect(dead_code, reason = "the tests of the cluster use the rest")]
mod server;

#[path = "../../../tests/it/cluster/grid.rs"]
#[expect(dead_code, reason = "the tests of the cluster use the rest")]
mod grid;

/// Starts Redis in each of the supported ways.
pub fn every_redis() -> impl Iterator<Item = OnRedis> {
    let ways: [fn() -> OnRedis; 3] = [|| OnRedis::start(1), || OnRedis::start(2), OnRedis::cluster];
    ways.into_iter().map(|start| start())
}

/// Redis servers of one test.
pub struct OnRedis {
    servers: Vec<RedisServer>,
    _cluster: Option<RedisCluster>,
    /// The configuration of a node.
    pub config: Config,
}

impl OnRedis {
    /// Starts several Redis with the records spread over them.
    pub fn start(count: usize) -> Self {
        let servers: Vec<RedisServer> = (0..count).map(|_| RedisServer::start()).collect();
        let urls: Vec<String> = servers.iter().map(RedisServer::url).collect();
        Self { config: config(&urls.join(" ")), servers, _cluster: None }
    }

    /// Starts a Redis Cluster of three masters.
    fn cluster() -> Self {
        let cluster = RedisCluster::start(3, 0);
        Self { config: config(&cluster.url()), servers: Vec::new(), _cluster: Some(cluster) }
    }

    /// Returns the TTLs, in seconds, of the keys of this pattern in the first Redis.
    pub fn ttls(&self, pattern: &str) -> Vec<i64> {
        let server = &self.servers[0];
        let keys: Vec<String> = server.command(&["KEYS", pattern]);
        keys.iter().map(|key| server.command(&["TTL", key])).collect()
    }

    /// Opens the stores of one node.
    pub fn open(&self) -> RedisStores {
        self.open_with(Duration::from_secs(100), &Clock::system(), &Metrics::new())
    }

    /// Opens the stores of one node, with this clock for the expiry of last-seen records.
    pub fn open_with(&self, expire: Duration, clock: &Clock, metrics: &Metrics) -> RedisStores {
        RedisStores::open(&self.config.cluster, expire, clock, metrics, activity_message).unwrap()
    }
}

fn config(redis: &str) -> Config {
    let environment = [("HEREABOUTS_CLUSTER__REDIS".to_owned(), redis.to_owned())];
    load(&Overrides::default(), environment.into_iter().collect()).unwrap()
}

#[actix_web::test]
async fn a_record_is_swapped_if_it_has_not_changed_and_not_after_the_deadline() {
    let shared = OnRedis::start(1);
    let storage = Storage::open(&shared.config.cluster, &Clock::system(), &Metrics::new()).unwrap();
    let records = Records::new(storage.clone());
    let work = async move {
        let key = RecordKey::listed(&records.storage, UserId::from_name("alice"), "x");
        let now = Clock::system().time_of_day().as_micros() / 1000;
        let swap = async |held: Option<&str>, wanted: Option<&str>, deadline| {
            let [held, wanted] = [held, wanted].map(|text| text.map(str::as_bytes));
            records.swap(&key, held, wanted, deadline).await.unwrap()
        };
        assert_eq!(swap(None, Some("a"), Some(now - 1)).await, SwapResult::Late);
        assert_eq!(records.get(&key).await, Ok(None));
        assert_eq!(swap(None, Some("a"), Some(now + 60_000)).await, SwapResult::Done);
        assert_eq!(swap(None, Some("b"), None).await, SwapResult::Other(Some(b"a".to_vec())));
        assert_eq!(records.listed("x").await.unwrap(), [UserId::from_name("alice")]);
        assert_eq!(swap(Some("a"), None, None).await, SwapResult::Done);
        assert_eq!(swap(Some("a"), Some("b"), None).await, SwapResult::Other(None));
        assert_eq!(records.listed("x").await.unwrap(), []);
    };
    storage.spawn(work).await.unwrap();
}
