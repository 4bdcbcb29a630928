//! The orderly stop of the server.

use std::time::Duration;

use actix_web::dev::ServerHandle;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, timeout_at};

use super::listen::AcceptSocket;
use super::{Components, cluster, stores};
use crate::grpc::RunningGrpcServer;
use crate::outbox::CloseRequest;
use crate::store::{StoreError, StoreFuture};

/// How long the accepting thread may take to pause. It does not report when it has.
const PAUSE_TIMEOUT: Duration = Duration::from_millis(250);

/// How often clients that are still connected are asked to close again: some were in the middle of their handshake.
const CLOSE_INTERVAL: Duration = Duration::from_millis(250);

/// How often a drain looks whether all clients have closed.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Time for what follows the closes when they take the whole timeout: webhooks, the notice to the other nodes.
const FINISH: Duration = Duration::from_secs(1);

/// Time for what Redis has yet to write after that.
const REDIS_FINISH: Duration = Duration::from_millis(500);

/// Stops the server: refuses new clients, closes every connection with a frame of its dialect, delivers webhooks,
/// closes the stores. Whatever its peers do, it ends within two seconds after the timeout. It waits for a disk.
pub struct Drain {
    /// What is stopped.
    pub components: Components,
    /// Stops the HTTP workers.
    pub http: ServerHandle,
    /// Refuses new TCP connections.
    pub accept_socket: AcceptSocket,
    /// Maximum duration of the closes, and of everything else that waits for a peer if the closes leave time.
    pub timeout: Duration,
    /// How long other nodes show the clients that are closed here.
    pub linger: Duration,
}

impl Drain {
    /// Stops everything. Returns the first error of a store that could not be closed.
    pub async fn run(self, grpc: Option<RunningGrpcServer>) -> anyhow::Result<()> {
        let Components { engine, metrics, endpoints, .. } = &self.components;
        log::info!(connections = metrics.connections(); "draining");
        let end = Instant::now() + self.timeout;
        endpoints.readiness.set(false);
        let grpc = async {
            if let Some(grpc) = grpc {
                grpc.stop().await;
            }
        };
        tokio::join!(self.close_clients(end), grpc);
        let last = end.max(Instant::now() + FINISH);
        if timeout_at(last, self.http.stop(false)).await.is_err() {
            log::warn!("the HTTP workers did not stop in time");
        }
        if timeout_at(last, self.leave_cluster()).await.is_err() {
            log::warn!("the other nodes could not be told of the stop in time");
        }
        engine.stop();
        self.deliver_webhooks(last).await;
        self.close_stores(last + REDIS_FINISH).await?;
        log::info!("stopped");
        Ok(())
    }

    /// Refuses new clients and closes those that are connected.
    async fn close_clients(&self, end: Instant) {
        let Components { engine, metrics, .. } = &self.components;
        self.http.pause().await;
        // A listener that closes before the accepting thread has paused is an error to that thread.
        tokio::time::sleep(PAUSE_TIMEOUT).await;
        self.accept_socket.close();
        engine.refuse_new();
        if self.close_connections(end).await.is_err() {
            log::warn!(connections = metrics.connections(); "not every client closed in time; cutting the rest");
        }
    }

    /// Closes every connection. In a cluster, spreads the closes over most of the time.
    async fn close_connections(&self, end: Instant) -> Result<(), Elapsed> {
        if self.components.cluster.is_some() {
            let spread = end.saturating_duration_since(Instant::now()) * 3 / 4;
            cluster::close_in_portions(&self.components.engine, spread).await;
        }
        timeout_at(end, self.close_rest()).await
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

    async fn deliver_webhooks(&self, end: Instant) {
        let Components { webhook, metrics, .. } = &self.components;
        if timeout_at(end, webhook.drain()).await.is_err() {
            log::warn!(events = metrics.webhook().queued.get(); "webhook receivers did not take every event in time");
        }
    }

    /// Closes every store, also after one of them failed. Waits for a disk, and for Redis until `end`.
    async fn close_stores(&self, end: Instant) -> anyhow::Result<()> {
        let stores = &self.components.stores;
        let end = self.components.cluster.is_some().then_some(end);
        let last_seen = match &stores.last_seen {
            Some(last_seen) => close(last_seen.close(), end, "the user statuses could not be written").await,
            None => Ok(()),
        };
        let relations = close(stores.relations.close(), end, "the relations between users could not be written").await;
        let revocations = close(stores.revocations.close(), end, "the revoked tokens could not be written").await;
        let accounts = close(stores.accounts.close(), end, "the store could not be closed").await;
        last_seen.and(relations).and(revocations).and(accounts)
    }
}

async fn close(closing: StoreFuture<'_, ()>, end: Option<Instant>, failure: &'static str) -> anyhow::Result<()> {
    let result = match end {
        Some(end) => {
            let late = |_| Err(StoreError::Unavailable("no answer in time".into()));
            timeout_at(end, closing).await.unwrap_or_else(late)
        }
        None => closing.await,
    };
    stores::closed(result, failure)
}
