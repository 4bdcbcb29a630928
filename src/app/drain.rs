//! The orderly stop of the server.

use std::time::Duration;

use actix_web::dev::ServerHandle;
use tokio::time::error::Elapsed;

use super::listen::AcceptSocket;
use super::{Components, cluster, stores};
use crate::grpc::RunningGrpcServer;
use crate::outbox::CloseRequest;

/// How long the accepting thread may take to pause. It does not report when it has.
const PAUSE_TIMEOUT: Duration = Duration::from_millis(250);

/// How often clients that are still connected are asked to close again: some were in the middle of their handshake.
const CLOSE_INTERVAL: Duration = Duration::from_millis(250);

/// How often a drain looks whether all clients have closed.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Stops the server: refuses new clients, closes every connection with a frame of its dialect, delivers webhooks,
/// closes the stores.
pub struct Drain {
    /// What is stopped.
    pub components: Components,
    /// Stops the HTTP workers.
    pub http: ServerHandle,
    /// Refuses new TCP connections.
    pub accept_socket: AcceptSocket,
    /// Maximum duration of each step.
    pub timeout: Duration,
    /// How long other nodes show the clients that are closed here.
    pub linger: Duration,
}

impl Drain {
    /// Stops everything. Returns the first error of a store that could not be closed.
    pub async fn run(self, grpc: Option<RunningGrpcServer>) -> anyhow::Result<()> {
        let Components { engine, metrics, endpoints, .. } = &self.components;
        log::info!(connections = metrics.connections(); "draining");
        endpoints.readiness.set(false);
        self.http.pause().await;
        // A listener that closes before the accepting thread has paused is an error to that thread.
        tokio::time::sleep(PAUSE_TIMEOUT).await;
        self.accept_socket.close();
        engine.refuse_new();
        if self.close_connections().await.is_err() {
            log::warn!(connections = metrics.connections(); "not every client closed in time; cutting the rest");
        }
        if let Some(grpc) = grpc
            && tokio::time::timeout(self.timeout, grpc.stop()).await.is_err()
        {
            log::warn!("not every gRPC call ended in time");
        }
        self.http.stop(false).await;
        self.leave_cluster().await;
        engine.stop();
        self.deliver_webhooks().await;
        self.close_stores().await?;
        log::info!("stopped");
        Ok(())
    }

    /// Closes every connection within the timeout. In a cluster, spreads the closes over most of it.
    async fn close_connections(&self) -> Result<(), Elapsed> {
        let mut remaining = self.timeout;
        if self.components.cluster.is_some() {
            let spread = self.timeout * 3 / 4;
            cluster::close_in_portions(&self.components.engine, spread).await;
            remaining -= spread;
        }
        // A timeout of its own: a delay of the spread close takes no time from clients that close slowly.
        tokio::time::timeout(remaining, self.close_rest()).await
    }

    async fn close_rest(&self) {
        let Components { engine, metrics, endpoints, .. } = &self.components;
        while metrics.connections() > 0 {
            engine.close_all(CloseRequest::Drain);
            endpoints.pending_connections().close_all(CloseRequest::Drain);
            let mut waited = Duration::ZERO;
            while waited < CLOSE_INTERVAL && metrics.connections() > 0 {
                tokio::time::sleep(POLL_INTERVAL).await;
                waited += POLL_INTERVAL;
            }
        }
    }

    async fn leave_cluster(&self) {
        let Some(cluster) = &self.components.cluster else { return };
        self.components.engine.settle().await;
        if let Err(error) = cluster.backplane.close(self.linger).await {
            log::warn!("the other nodes could not be told of the stop: {error}");
        }
    }

    async fn deliver_webhooks(&self) {
        let Components { webhook, metrics, .. } = &self.components;
        if tokio::time::timeout(self.timeout, webhook.drain()).await.is_err() {
            log::warn!(events = metrics.webhook().queued.get(); "webhook receivers did not take every event in time");
        }
    }

    /// Closes every store, also after one of them failed.
    async fn close_stores(&self) -> anyhow::Result<()> {
        let stores = &self.components.stores;
        let last_seen = match &stores.last_seen {
            Some(last_seen) => stores::closed(last_seen.close().await, "the user statuses could not be written"),
            None => Ok(()),
        };
        let relations =
            stores::closed(stores.relations.close().await, "the relations between users could not be written");
        let revocations = stores::closed(stores.revocations.close().await, "the revoked tokens could not be written");
        let accounts = stores::closed(stores.accounts.close().await, "the store could not be closed");
        last_seen.and(relations).and(revocations).and(accounts)
    }
}
