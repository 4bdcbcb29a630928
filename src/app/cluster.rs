//! Joins the other nodes, keeps an eye on how this one stands to them, and leaves them.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::clock::Clock;
use crate::cluster::NodeHealth;
use crate::cluster::redis::RedisBackplane;
use crate::config::Config;
use crate::engine::{BackplaneListener, Census, ClusterHandle, Engine};
use crate::http::operation::Readiness;
use crate::metrics::Metrics;
use crate::outbox::CloseRequest;

/// How often it is looked how this node stands to the others.
const LOOK: Duration = Duration::from_millis(500);

/// Parts of the clients that are told to go one after another.
const PORTIONS: u32 = 50;

/// Takes a lease at every Redis that is configured; none: there is none.
pub async fn join(
    config: &Config,
    clock: &Clock,
    metrics: &Metrics,
    census: Option<Arc<dyn Census>>,
) -> anyhow::Result<Option<ClusterHandle>> {
    let cluster = &config.cluster;
    if !cluster.is_on() {
        return Ok(None);
    }
    let listener = BackplaneListener::telling(census);
    let name = name(config);
    let backplane =
        RedisBackplane::start(cluster, &name, clock, metrics, Arc::new(listener.clone())).await.context("[cluster]")?;
    log::info!(node = name; "joined the other nodes");
    Ok(Some(ClusterHandle {
        backplane: Arc::new(backplane),
        listener,
        drain_linger: config.presence.drain_linger.0,
        patience: cluster.response_timeout.0,
    }))
}

/// As configured, or made from the machine's name and the port. A port that is chosen at each start makes no lasting name.
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

/// What a node does besides serving.
pub struct Watch {
    pub nodes: Option<ClusterHandle>,
    pub engine: Engine,
    pub metrics: Metrics,
    pub readiness: Readiness,
    pub clock: Clock,
    /// Clients are closed that the others have not heard of for so long.
    pub isolated_close: Duration,
}

impl Watch {
    /// Keeps `/ready` to how this node stands to the others, and has its clients go elsewhere where it stands alone for too
    /// long. Never ends.
    pub async fn run(&self) {
        let Some(nodes) = &self.nodes else { return std::future::pending().await };
        let mut isolated_since = None;
        loop {
            tokio::time::sleep(LOOK).await;
            let engine = self.metrics.engine();
            let count = |number: i64| u64::try_from(number).unwrap_or(0);
            nodes.backplane.describe(count(self.metrics.connections()), count(engine.connected.get()));
            let is_isolated = match nodes.backplane.standing() {
                NodeHealth::Joined | NodeHealth::Degraded => false,
                NodeHealth::Isolated => true,
            };
            self.readiness.set(!is_isolated);
            let now = self.clock.now();
            if !is_isolated {
                isolated_since = None;
                continue;
            }
            let (since, closed) = *isolated_since.get_or_insert((now, false));
            if !closed && now.since(since) >= self.isolated_close {
                log::warn!("this node cannot reach the others for too long; its clients are sent elsewhere");
                isolated_since = Some((since, true));
                self.engine.close_all(CloseRequest::Drain);
            }
        }
    }
}

/// Has clients go a few at a time, so that those who come back elsewhere do not come all at once.
pub async fn send_away(engine: &Engine, within: Duration) {
    for portion in 0..PORTIONS {
        engine.close_portion(portion, PORTIONS, CloseRequest::Drain);
        tokio::time::sleep(within / PORTIONS).await;
    }
}
