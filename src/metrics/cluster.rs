//! Metrics of the cluster and of Redis.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Metrics of the cluster and of Redis.
#[derive(Clone, Debug)]
pub struct ClusterMetrics {
    /// Seconds since the lease was renewed.
    pub lease_age: Gauge<f64, AtomicU64>,
    /// Incarnations of this node. More than one per Redis means that the others took it for dead, or that Redis was
    /// emptied.
    pub incarnations: Counter,
    /// Changes that Redis accepted and published to the other nodes.
    pub published: Counter,
    /// Users with a record that waits to be written.
    pub waiting: Gauge,
    /// Users that this node watches on other nodes.
    pub watched: Gauge,
    /// Events received from other nodes.
    pub received: Counter,
    /// Messages dropped because too many waited.
    pub dropped: Counter,
    /// Gaps closed from the log of a bucket.
    pub caught_up: Counter,
    /// Buckets read again as a whole.
    pub resyncs: Counter,
    /// Subscriptions renewed after silence or a lost connection.
    pub resubscribed: Counter,
    /// Records removed because their node is dead or their linger ended.
    pub reaped: Counter,
    /// Failed calls of Redis.
    pub failures: Counter,
    /// Duration of calls of Redis, in seconds.
    pub latency: Histogram,
}

impl Default for ClusterMetrics {
    fn default() -> Self {
        let latency = Histogram::new(exponential_buckets(0.000_1, 2.0, 16));
        let [incarnations, published, received, dropped, caught_up, resyncs, resubscribed, reaped, failures] =
            std::array::from_fn(|_| Counter::default());
        let (waiting, watched) = (Gauge::default(), Gauge::default());
        Self {
            lease_age: Gauge::default(),
            incarnations,
            published,
            waiting,
            watched,
            received,
            dropped,
            caught_up,
            resyncs,
            resubscribed,
            reaped,
            failures,
            latency,
        }
    }
}

impl ClusterMetrics {
    /// Registers every metric of the cluster.
    pub(super) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("cluster");
        registry.register("lease_age_seconds", "Seconds since the node renewed its lease", self.lease_age.clone());
        registry.register("incarnations", "Incarnations of this node", self.incarnations.clone());
        registry.register("published", "Changes published to other nodes", self.published.clone());
        registry.register("waiting", "Users with a record that waits to be written", self.waiting.clone());
        registry.register("watched", "Users that this node watches on other nodes", self.watched.clone());
        registry.register("received", "Events received from other nodes", self.received.clone());
        registry.register("dropped", "Messages dropped because too many waited", self.dropped.clone());
        registry.register("caught_up", "Gaps closed from the log of a bucket", self.caught_up.clone());
        registry.register("resyncs", "Buckets read again as a whole", self.resyncs.clone());
        registry.register(
            "resubscribed",
            "Subscriptions renewed after silence or a lost connection",
            self.resubscribed.clone(),
        );
        registry.register(
            "reaped",
            "Records removed because their node is dead or their linger ended",
            self.reaped.clone(),
        );
        registry.register("redis_failures", "Failed calls of Redis", self.failures.clone());
        registry.register("redis_latency_seconds", "Duration of calls of Redis", self.latency.clone());
    }
}
