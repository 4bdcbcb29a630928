//! What is counted about several nodes.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// What is counted about the other nodes and Redis.
#[derive(Clone, Debug)]
pub struct ClusterMetrics {
    /// Seconds since the lease was renewed.
    pub lease_age: Gauge<f64, AtomicU64>,
    /// Lives of this node: more than one a Redis means that it was taken for dead, or that Redis was emptied.
    pub incarnations: Counter,
    /// Changes that Redis took and told the other nodes.
    pub published: Counter,
    /// Users whose records wait to be written.
    pub waiting: Gauge,
    /// Users whose other nodes are followed.
    pub watched: Gauge,
    /// Events received.
    pub received: Counter,
    /// Messages dropped because too many waited.
    pub dropped: Counter,
    /// Gaps closed from a bucket's log.
    pub caught_up: Counter,
    /// Buckets of which everything was read anew.
    pub resyncs: Counter,
    /// Subscriptions made again after a silence or a lost connection.
    pub resubscribed: Counter,
    /// Records removed because their node is dead or they lingered long enough.
    pub reaped: Counter,
    /// Calls of Redis that failed.
    pub failures: Counter,
    /// How long calls of Redis took, seconds.
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
    /// Registers them.
    pub(super) fn register(&self, registry: &mut Registry) {
        let registry = registry.sub_registry_with_prefix("cluster");
        registry.register("lease_age_seconds", "Seconds since the node's lease was renewed", self.lease_age.clone());
        registry.register("incarnations", "Lives of this node among the others", self.incarnations.clone());
        registry.register("published", "Changes told to other nodes", self.published.clone());
        registry.register("waiting", "Users whose records wait to be written", self.waiting.clone());
        registry.register("watched", "Users whose other nodes are followed", self.watched.clone());
        registry.register("received", "Events received from other nodes", self.received.clone());
        registry.register("dropped", "Messages dropped because too many waited", self.dropped.clone());
        registry.register("caught_up", "Gaps closed from a bucket's log", self.caught_up.clone());
        registry.register("resyncs", "Buckets read anew", self.resyncs.clone());
        registry.register("resubscribed", "Subscriptions made again", self.resubscribed.clone());
        registry.register("reaped", "Records of dead nodes or after lingering removed", self.reaped.clone());
        registry.register("redis_failures", "Calls of Redis that failed", self.failures.clone());
        registry.register("redis_latency_seconds", "How long calls of Redis took", self.latency.clone());
    }
}
