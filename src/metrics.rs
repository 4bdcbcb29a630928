//! Every metric with its help text. `cluster.rs` has those of the backplane, `http.rs` those of HTTP, `refusals.rs` those of
//! refused clients. No label comes from user input.

mod cluster;
mod http;
mod refusals;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::presence::dialect::Dialect;

pub use cluster::ClusterMetrics;
pub use http::HttpMetrics;
pub use refusals::{ConnectionEnd, RefusalMetrics, RefusalReason};

impl EncodeLabelValue for Dialect {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        EncodeLabelValue::encode(&self.name(), encoder)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DialectLabel {
    dialect: Dialect,
}

/// Metrics of one dialect.
#[derive(Clone, Debug)]
pub struct DialectMetrics {
    /// Open connections.
    pub connections: Gauge,
    /// Commands that clients sent and the server accepted.
    pub commands: Counter,
    /// Diffs delivered to followers' outboxes.
    pub deliveries: Counter,
    /// Deliveries folded into a waiting one, because the follower is slow.
    pub folds: Counter,
}

/// Metrics of last-seen records.
#[derive(Clone, Debug, Default)]
pub struct LastSeenMetrics {
    /// Users with a record that waits to be written.
    pub waiting: Gauge,
    /// Records written.
    pub written: Counter,
    /// Commits, each of all records that waited.
    pub commits: Counter,
    /// Updates dropped because too many waited.
    pub refused: Counter,
}

/// Metrics of the store on disk.
#[derive(Clone, Debug, Default)]
pub struct StoreMetrics {
    /// 1 while the store can write, 0 otherwise.
    pub writable: Gauge,
    /// How often the store became unable to write.
    pub failures: Counter,
}

/// Metrics of the server API, over HTTP and gRPC.
#[derive(Clone, Debug, Default)]
pub struct ApiMetrics {
    /// Calls executed. Each call of a batch counts.
    pub calls: Counter,
    /// Calls that got an error.
    pub failures: Counter,
    /// Requests without the key.
    pub keyless: Counter,
    /// gRPC connections closed at a deadline: handshake, frame, idle time.
    pub grpc_timed_out: Counter,
    /// gRPC connections closed because of a flood of frames other than calls.
    pub grpc_floods: Counter,
}

/// All metrics of one server. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    registry: Registry,
    engine: EngineMetrics,
    cluster: ClusterMetrics,
    last_seen: LastSeenMetrics,
    store: StoreMetrics,
    api: ApiMetrics,
    http: HttpMetrics,
    webhook: WebhookMetrics,
    refusals: RefusalMetrics,
    dialects: Vec<DialectMetrics>,
}

/// Metrics of the engine, over all dialects.
#[derive(Clone, Debug, Default)]
pub struct EngineMetrics {
    /// User actors.
    pub users: Gauge,
    /// Users with a connection.
    pub connected: Gauge,
    /// Changes of users.
    pub diffs: Counter<u64, AtomicU64>,
    /// Bytes that wait for clients.
    pub outbox_bytes: Gauge,
    /// User actors replaced after a panic.
    pub recovered: Counter,
    /// Messages that wait for supervisors and member shards.
    pub mailbox: Gauge,
    /// Messages refused because the mailbox of a supervisor or member shard was full.
    pub mailbox_refused: Counter,
}

/// Metrics of webhook events, over all receivers.
#[derive(Clone, Debug, Default)]
pub struct WebhookMetrics {
    /// Events that wait or are under way.
    pub queued: Gauge,
    /// Events that a receiver accepted.
    pub sent: Counter,
    /// Attempts that failed.
    pub failures: Counter,
    /// Lost connections that were not sent, because the client came back in time.
    pub undone: Counter,
    /// Events dropped because too many waited.
    pub dropped: Counter,
    /// Events dropped after failing for too long.
    pub dead: Counter,
}

impl Metrics {
    /// Registers every metric with the value zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("hereabouts");
        let engine = EngineMetrics::default();
        engine.register(&mut registry);
        let last_seen = LastSeenMetrics::default();
        last_seen.register(&mut registry);
        let store = StoreMetrics::default();
        store.register(&mut registry);
        let api = ApiMetrics::default();
        api.register(&mut registry);
        let http = HttpMetrics::default();
        http.register(&mut registry);
        let webhook = WebhookMetrics::default();
        webhook.register(&mut registry);
        let cluster = ClusterMetrics::default();
        cluster.register(&mut registry);
        let refusals = RefusalMetrics::default();
        refusals.register(&mut registry);
        let dialects = register_dialects(&mut registry);
        Self(Arc::new(Inner { registry, engine, cluster, last_seen, store, api, http, webhook, refusals, dialects }))
    }

    /// Returns the metrics of the server API.
    pub fn api(&self) -> &ApiMetrics {
        &self.0.api
    }

    /// Returns the metrics of HTTP.
    pub fn http(&self) -> &HttpMetrics {
        &self.0.http
    }

    /// Returns the metrics of last-seen records.
    pub fn last_seen(&self) -> &LastSeenMetrics {
        &self.0.last_seen
    }

    /// Returns the metrics of the store on disk.
    pub fn store(&self) -> &StoreMetrics {
        &self.0.store
    }

    /// Returns the metrics of the engine.
    pub fn engine(&self) -> &EngineMetrics {
        &self.0.engine
    }

    /// Returns the metrics of webhook events.
    pub fn webhook(&self) -> &WebhookMetrics {
        &self.0.webhook
    }

    /// Returns the metrics of the cluster and of Redis.
    pub fn cluster(&self) -> &ClusterMetrics {
        &self.0.cluster
    }

    /// Returns the metrics of refusals and ends of connections.
    pub fn refusals(&self) -> &RefusalMetrics {
        &self.0.refusals
    }

    /// Returns the metrics of one dialect.
    pub fn dialect(&self, dialect: Dialect) -> &DialectMetrics {
        &self.0.dialects[dialect as usize]
    }

    /// Returns the number of open connections in all dialects.
    pub fn connections(&self) -> i64 {
        self.0.dialects.iter().map(|dialect| dialect.connections.get()).sum()
    }

    /// Returns every metric in OpenMetrics text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.0.registry).expect("writing to a string does not fail");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl EngineMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register("users", "Users with a connection or a follower", self.users.clone());
        registry.register("users_connected", "Users with a connection", self.connected.clone());
        registry.register("diffs", "Changes of users", self.diffs.clone());
        registry.register("outbox_bytes", "Bytes that wait for clients", self.outbox_bytes.clone());
        registry.register("users_recovered", "User actors replaced after a failure", self.recovered.clone());
        registry.register(
            "mailbox_messages",
            "Messages that wait for supervisors and member shards",
            self.mailbox.clone(),
        );
        registry.register(
            "mailbox_refused",
            "Messages refused because the mailbox of a supervisor or member shard was full",
            self.mailbox_refused.clone(),
        );
    }
}

impl StoreMetrics {
    fn register(&self, registry: &mut Registry) {
        self.writable.set(1);
        registry.register("store_writable", "1 while the store can write, 0 otherwise", self.writable.clone());
        registry.register("store_failures", "How often the store became unable to write", self.failures.clone());
    }
}

impl LastSeenMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register(
            "last_seen_waiting",
            "Users with a last-seen record that waits to be written",
            self.waiting.clone(),
        );
        registry.register("last_seen_written", "Last-seen records written", self.written.clone());
        registry.register("last_seen_commits", "Commits of last-seen records", self.commits.clone());
        registry.register(
            "last_seen_refused",
            "Last-seen updates dropped because too many waited",
            self.refused.clone(),
        );
    }
}

impl ApiMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register("api_calls", "Calls of the server API", self.calls.clone());
        registry.register("api_failures", "Calls of the server API that got an error", self.failures.clone());
        registry.register("api_keyless", "Requests to the server API without its key", self.keyless.clone());
        registry.register("grpc_timed_out", "gRPC connections closed at a deadline", self.grpc_timed_out.clone());
        registry.register(
            "grpc_floods",
            "gRPC connections closed because of a flood of frames",
            self.grpc_floods.clone(),
        );
    }
}

impl WebhookMetrics {
    fn register(&self, registry: &mut Registry) {
        registry.register("webhook_queued", "Events that wait for webhook receivers", self.queued.clone());
        registry.register("webhook_sent", "Events that webhook receivers accepted", self.sent.clone());
        registry.register(
            "webhook_failures",
            "Failed attempts to deliver events to webhook receivers",
            self.failures.clone(),
        );
        registry.register(
            "webhook_undone",
            "Lost connections not sent because the client came back in time",
            self.undone.clone(),
        );
        registry.register("webhook_dropped", "Events dropped because too many waited", self.dropped.clone());
        registry.register("webhook_dead", "Events dropped after failing for too long", self.dead.clone());
    }
}

fn register_dialects(registry: &mut Registry) -> Vec<DialectMetrics> {
    let connections = Family::<DialectLabel, Gauge>::default();
    let [commands, deliveries, folds] = std::array::from_fn(|_| Family::<DialectLabel, Counter>::default());
    registry.register("connections", "Open connections", connections.clone());
    registry.register("commands", "Commands that clients sent and the server accepted", commands.clone());
    registry.register("deliveries", "Diffs delivered to the outboxes of followers", deliveries.clone());
    registry.register("folds", "Deliveries folded into a waiting one because the follower is slow", folds.clone());
    Dialect::ALL
        .map(|dialect| {
            let label = DialectLabel { dialect };
            DialectMetrics {
                connections: connections.get_or_create_owned(&label),
                commands: commands.get_or_create_owned(&label),
                deliveries: deliveries.get_or_create_owned(&label),
                folds: folds.get_or_create_owned(&label),
            }
        })
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_every_metric_and_dialect() {
        let metrics = Metrics::new();
        metrics.dialect(Dialect::Nakama).connections.set(3);
        metrics.engine().diffs.inc_by(7);
        let text = metrics.text();
        assert!(text.contains("hereabouts_connections{dialect=\"nakama\"} 3"), "{text}");
        assert!(text.contains("hereabouts_connections{dialect=\"centrifugo\"} 0"), "{text}");
        assert!(text.contains("hereabouts_diffs_total 7"), "{text}");
        assert_eq!(metrics.connections(), 3);
    }
}
