//! Webhooks: tell receivers over HTTP of every login, logout and lost connection, at least once each.
//!
//! [`queue`] holds waiting events and decides what is sent when, [`shape`] formats and signs them, [`http`] sends them.
//! This file has the handle to which changes are offered, and the task of each receiver that executes what its queue
//! decides. An offer never waits. Events wait in memory: [`Webhook::drain`] sends them at an orderly stop, a crash
//! loses them.

mod change;
pub mod http;
pub mod queue;
pub mod shape;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use parking_lot::Mutex;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::WebhookConfig;
use crate::metrics::{Metrics, WebhookMetrics};

pub use change::{Loss, StateChange, Transition, WebhookEvent};
use http::{PostError, ReceiverClient};
use queue::{Attempt, AttemptResult, DeliveryRules, OfferResult, PostOutcome, QueueAction, WebhookQueue};
use shape::RequestWriter;

/// The handle to which state changes are offered. Cheap to clone. Does nothing when no receiver is configured.
#[derive(Clone, Debug)]
pub struct Webhook(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    receivers: Vec<Arc<WebhookReceiver>>,
    clock: Clock,
}

/// The state of one receiver, which the handle and the task of the receiver share.
#[derive(Debug)]
struct WebhookReceiver {
    /// Locked for a few map operations at a time.
    queue: Mutex<WebhookQueue>,
    /// Wakes the task after an offer or at the stop of the server.
    offered: Notify,
    /// Wakes a drain after an attempt.
    settled: Notify,
    writer: RequestWriter,
    metrics: WebhookMetrics,
    clock: Clock,
}

/// Why the webhooks cannot start.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// A receiver needs TLS, and TLS does not work.
    #[error("TLS for webhook.urls: {0}")]
    Tls(#[from] rustls::Error),
}

impl Webhook {
    /// Starts a task for each receiver on this thread, which must run an actix system. `sdk_app_id` is part of
    /// Tencent's format.
    pub fn start(
        config: &WebhookConfig,
        sdk_app_id: u64,
        clock: &Clock,
        metrics: &Metrics,
    ) -> Result<Self, WebhookError> {
        let needs_tls = config.urls.iter().any(|url| url.scheme_str() == Some("https"));
        let tls = if needs_tls { Some(http::tls()?) } else { None };
        let receivers = config.urls.iter().map(|url| {
            let writer =
                RequestWriter { url: url.clone(), shape: config.shape, key: config.secret_key.clone(), sdk_app_id };
            let receiver = Arc::new(WebhookReceiver {
                queue: Mutex::new(WebhookQueue::new(rules(config))),
                offered: Notify::new(),
                settled: Notify::new(),
                writer,
                metrics: metrics.webhook().clone(),
                clock: clock.clone(),
            });
            actix_web::rt::spawn(receiver.clone().deliver(ReceiverClient::new(tls.clone(), config.timeout.0)));
            receiver
        });
        let receivers = receivers.collect();
        Ok(Self(Arc::new(Inner { receivers, clock: clock.clone() })))
    }

    /// Returns whether there is any receiver.
    pub fn is_enabled(&self) -> bool {
        !self.0.receivers.is_empty()
    }

    /// Queues a change for every receiver. Returns at once, on any thread. A full queue drops its oldest event and
    /// counts it.
    pub fn offer(&self, change: StateChange) {
        let Inner { receivers, clock } = &*self.0;
        if receivers.is_empty() {
            return;
        }
        let (event, now) = (Arc::new(WebhookEvent { id: Uuid::new_v4(), change }), clock.now());
        for receiver in receivers {
            let result = receiver.queue.lock().offer(event.clone(), now);
            match result {
                OfferResult::Queued => {
                    receiver.metrics.queued.inc();
                }
                OfferResult::Displaced => {
                    receiver.metrics.dropped.inc();
                }
                OfferResult::Undone => {
                    receiver.metrics.queued.dec();
                    receiver.metrics.undone.inc();
                }
            }
            receiver.offered.notify_one();
        }
    }

    /// Sends every waiting event without a grace period, and completes when none is left. The caller limits how long,
    /// and offers nothing more.
    pub async fn drain(&self) {
        for receiver in &self.0.receivers {
            receiver.queue.lock().flush(self.0.clock.now());
            receiver.offered.notify_one();
        }
        for receiver in &self.0.receivers {
            loop {
                let settled = receiver.settled.notified();
                if receiver.queue.lock().event_count() == 0 {
                    break;
                }
                settled.await;
            }
        }
    }
}

impl WebhookReceiver {
    /// Executes the actions of the queue until the thread ends.
    async fn deliver(self: Arc<Self>, client: ReceiverClient) {
        let mut under_way = FuturesUnordered::new();
        loop {
            let action = self.queue.lock().next(self.clock.now());
            let wait = match action {
                QueueAction::Send(attempt) => {
                    let request = self.writer.write(&attempt.event, self.clock.time_of_day());
                    let posted = client.post(request);
                    under_way.push(async { (attempt, posted.await) });
                    continue;
                }
                QueueAction::WaitUntil(at) => Some(at.since(self.clock.now())),
                QueueAction::Wait => None,
            };
            tokio::select! {
                Some((attempt, posted)) = under_way.next() => self.settle(attempt, posted),
                () = self.offered.notified() => {}
                () = sleep(wait) => {}
            }
        }
    }

    fn settle(&self, attempt: Attempt, posted: Result<(), PostError>) {
        let mut queue = self.queue.lock();
        let failures = queue.failures();
        let outcome = if posted.is_ok() { PostOutcome::Accepted } else { PostOutcome::Failed };
        let result = queue.settle(attempt, outcome, self.clock.now(), rand::random());
        drop(queue);
        let Self { metrics, writer, .. } = self;
        match result {
            AttemptResult::Sent => {
                metrics.queued.dec();
                metrics.sent.inc();
            }
            AttemptResult::Waits => {}
            AttemptResult::Dead => {
                metrics.queued.dec();
                metrics.dead.inc();
            }
        }
        // One line when a receiver starts to fail and one when it recovers. Only the host: a URL may contain a secret.
        let host = writer.url.host().unwrap_or_default();
        match posted {
            Ok(()) if failures > 0 => log::info!(host, failures; "a webhook receiver takes events again"),
            Ok(()) => {}
            Err(error) => {
                metrics.failures.inc();
                if failures == 0 {
                    log::warn!(host; "a webhook receiver does not take events: {error}");
                }
            }
        }
        self.settled.notify_waiters();
    }
}

/// Waits for this time, or without end when there is none.
async fn sleep(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

fn rules(config: &WebhookConfig) -> DeliveryRules {
    DeliveryRules {
        max_events: config.queue,
        grace: Duration::from_secs(config.grace_seconds),
        max_parallel: config.parallel,
        first_delay: config.retry_first.0,
        max_delay: config.retry_longest.0,
        max_age: config.retry_for.0,
    }
}
