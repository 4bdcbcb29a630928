//! Joins the other nodes of the cluster, and reacts when this node is isolated from them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use super::Components;
use crate::clock::Clock;
use crate::cluster::NodeHealth;
use crate::cluster::redis::RedisBackplane;
use crate::config::Config;
use crate::engine::{BackplaneListener, ClusterHandle, Engine, RemoteConnectionListener};
use crate::metrics::Metrics;
use crate::outbox::CloseRequest;
use crate::presence::time::Timestamp;

/// How often a node checks its own health.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Number of portions in which a drain closes the clients of a node.
const PORTIONS: u32 = 50;

/// Takes a lease at every configured Redis. Returns `None` when none is configured.
pub async fn join(
    config: &Config,
    clock: &Clock,
    metrics: &Metrics,
    losses: Option<Arc<dyn RemoteConnectionListener>>,
) -> anyhow::Result<Option<ClusterHandle>> {
    let cluster = &config.cluster;
    if !cluster.is_enabled() {
        return Ok(None);
    }
    let listener = BackplaneListener::reporting_to(losses);
    let name = name(config);
    let backplane =
        RedisBackplane::start(cluster, &name, clock, metrics, Arc::new(listener.clone())).await.context("[cluster]")?;
    log::info!(node = name; "joined the cluster");
    Ok(Some(ClusterHandle {
        backplane: Arc::new(backplane),
        listener,
        drain_linger: config.presence.drain_linger.0,
        patience: cluster.response_timeout.0,
    }))
}

/// Returns the configured name, or one of the machine's name and the port. A node on a port that the system chooses
/// gets its process id instead, because the port changes at each start.
fn name(config: &Config) -> String {
    if !config.cluster.node.is_empty() {
        return config.cluster.node.clone();
    }
    let machine = gethostname::gethostname().to_string_lossy().into_owned();
    match config.server.address.port() {
        0 => format!("{machine}-{}", std::process::id()),
        port => format!("{machine}:{port}"),
    }
}

/// Watches the health of this node in the cluster.
pub struct NodeMonitor<'a> {
    /// The server of this node.
    pub components: &'a Components,
    /// Measures how long the node is isolated.
    pub clock: Clock,
    /// How long an isolated node keeps its clients.
    pub isolated_close: Duration,
}

impl NodeMonitor<'_> {
    /// Publishes the numbers of this node, keeps `/ready` false while it is isolated, and closes its clients when that
    /// lasts too long, so that they connect to other nodes. Never ends.
    pub async fn run(&self) {
        let Components { cluster, engine, metrics, endpoints, .. } = self.components;
        let Some(cluster) = cluster else { return std::future::pending().await };
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        let mut isolation = None;
        loop {
            tokio::time::sleep(CHECK_INTERVAL).await;
            cluster.backplane.describe(count(metrics.connections()), count(metrics.engine().connected.get()));
            let is_isolated = match cluster.backplane.health() {
                NodeHealth::Joined | NodeHealth::Degraded => false,
                NodeHealth::Isolated => true,
            };
            endpoints.readiness.set(!is_isolated);
            if !is_isolated {
                isolation = None;
                continue;
            }
            let now = self.clock.now();
            let isolation = isolation.get_or_insert(Isolation { started: now, has_closed_clients: false });
            if !isolation.has_closed_clients && now.since(isolation.started) >= self.isolated_close {
                log::warn!("this node could not reach the cluster for too long; closing its clients");
                isolation.has_closed_clients = true;
                engine.close_all(CloseRequest::Drain);
            }
        }
    }
}

/// A time in which this node reaches no other.
struct Isolation {
    started: Timestamp,
    has_closed_clients: bool,
}

/// Closes clients in portions, so that they do not connect to the other nodes all at once.
pub async fn close_in_portions(engine: &Engine, duration: Duration) {
    for portion in 0..PORTIONS {
        engine.close_portion(portion, PORTIONS, CloseRequest::Drain);
        tokio::time::sleep(duration / PORTIONS).await;
    }
}
