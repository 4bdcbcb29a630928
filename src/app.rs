//! Assembles the server from its configuration, and owns its start and its drain.
//!
//! `Config` → [`App::build`] → [`App::run`] → drain. Nothing is global: one process can run many servers.
//!
//! [`components`] assembles everything except the listeners, [`stores`] opens the stores, [`endpoints`] builds what the
//! HTTP workers serve, [`listen`] is the HTTP listener, [`cluster`] joins the other nodes, [`drain`] is the orderly
//! stop. [`directory`] and [`webhook_bridge`] connect modules that do not know each other.

mod cluster;
mod components;
mod directory;
mod drain;
mod endpoints;
mod listen;
mod proxy_protocol;
mod stores;
#[cfg(test)]
mod tests;
mod webhook_bridge;

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;

use crate::clock::Clock;
use crate::config::Config;
use crate::engine::RemoteConnectionListener;
use crate::grpc::GrpcServer;
use crate::metrics::Metrics;
use crate::session::connection_listener::ConnectionListener;
use crate::webhook::Webhook;

use cluster::NodeMonitor;
pub use components::Components;
use drain::Drain;
pub use endpoints::Endpoints;
use listen::HttpListener;
pub use stores::Stores;
use webhook_bridge::WebhookBridge;

/// A server that listens and does not serve yet.
pub struct App {
    components: Components,
    http: HttpListener,
    /// `None` means that gRPC is switched off.
    grpc: Option<GrpcServer>,
    clock: Clock,
    /// How long an isolated node keeps its clients.
    isolated_close: Duration,
    /// Maximum duration of each step of the drain.
    drain_timeout: Duration,
    /// How long other nodes show the clients that the drain closes.
    drain_linger: Duration,
}

impl App {
    /// Assembles everything and binds the addresses. Needs a running actix system.
    pub async fn build(config: &Config, clock: &Clock) -> anyhow::Result<Self> {
        Self::build_with(config, clock, None).await
    }

    /// Does the same with a listener that hears of clients in place of the webhooks.
    pub async fn build_with(
        config: &Config,
        clock: &Clock,
        listener: Option<Arc<dyn ConnectionListener>>,
    ) -> anyhow::Result<Self> {
        warn_of_development_keys(config);
        let metrics = Metrics::new();
        let webhook = Webhook::start(&config.webhook, config.tencent.sdk_app_id, clock, &metrics)?;
        let bridge = WebhookBridge::new(&webhook, clock);
        let losses = bridge.clone().map(|bridge| bridge as Arc<dyn RemoteConnectionListener>);
        let cluster = cluster::join(config, clock, &metrics, losses).await?;
        let listener = listener.or(bridge.map(|bridge| bridge as Arc<dyn ConnectionListener>));
        let components = Components::assemble_in(cluster, config, clock, metrics, webhook, listener)?;
        Ok(Self {
            grpc: bind_grpc(config, &components, clock)?,
            http: HttpListener::bind(config, components.endpoints.clone(), clock, &components.metrics)?,
            components,
            clock: clock.clone(),
            isolated_close: config.cluster.isolated_close.0,
            drain_timeout: config.server.drain_timeout.0,
            drain_linger: config.presence.drain_linger.0,
        })
    }

    /// Returns the addresses that HTTP listens on.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.http.addresses
    }

    /// Returns the address that gRPC listens on, or `None` when it is switched off.
    pub fn grpc_address(&self) -> Option<SocketAddr> {
        self.grpc.as_ref().map(GrpcServer::address)
    }

    /// Returns what the server is made of.
    pub fn components(&self) -> &Components {
        &self.components
    }

    /// Serves until `stop` completes, then drains.
    pub async fn run(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self { components, http, grpc, clock, isolated_close, drain_timeout, drain_linger } = self;
        if let Some(grpc) = &grpc {
            log::info!("listening for gRPC on {}", grpc.address());
        }
        let grpc = grpc.map(GrpcServer::start).transpose().context("gRPC could not be started")?;
        for address in &http.addresses {
            log::info!("listening on http://{address}");
        }
        components.endpoints.readiness.set(true);
        let HttpListener { server, accept_socket, .. } = http;
        let http = server.handle();
        let monitor = NodeMonitor { components: &components, clock, isolated_close };
        let mut serving = actix_web::rt::spawn(server);
        tokio::select! {
            ended = &mut serving => return ended.context("the HTTP server failed")?.context("the HTTP server failed"),
            () = stop => {}
            () = monitor.run() => {}
        }
        let drain = Drain { components, http, accept_socket, timeout: drain_timeout, linger: drain_linger };
        drain.run(grpc).await?;
        serving.await.context("the HTTP server failed")?.context("the HTTP server failed")
    }
}

fn bind_grpc(config: &Config, components: &Components, clock: &Clock) -> anyhow::Result<Option<GrpcServer>> {
    let grpc = &config.grpc_api;
    let bind = || {
        GrpcServer::bind(config, components.users.clone(), clock)
            .with_context(|| format!("grpc_api.address = \"{}\"", grpc.address))
    };
    grpc.enabled.then(bind).transpose()
}

/// Names each setting that has a public key, before a stranger finds it.
fn warn_of_development_keys(config: &Config) {
    let keys: Vec<&str> = config.used_development_keys().map(|(name, _)| name).collect();
    if !keys.is_empty() {
        log::warn!("these keys are public development keys, for this machine only: {}", keys.join(", "));
    }
}
