//! Tells receivers over HTTP of every login, logout and loss, at least once each. Offered, never awaited.
//!
//! [`queue`] holds what waits and decides what is sent when; [`shape`] writes it; [`http`] sends it; here is the handle,
//! and the task of each receiver that carries the queue's decisions out. Events wait in memory: [`Webhook::drain`] sends
//! what it can at an orderly stop, a crash loses what waits.

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

pub use change::{Event, Loss, StateChange, Transition};
use http::{Failure, Http};
use queue::{Delivery, Offered, Queue, Rules, Settled, Step};
use shape::Writer;

/// Where state changes are offered. Cheap to clone; does nothing when no receiver is configured.
#[derive(Clone, Debug)]
pub struct Webhook(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    receivers: Vec<Arc<Receiver>>,
    clock: Clock,
}

/// What is shared between the handle and the task of one receiver.
#[derive(Debug)]
struct Receiver {
    /// Held for a few map operations at a time.
    queue: Mutex<Queue>,
    /// Wakes the task: something was offered, or the server stops.
    offered: Notify,
    /// Wakes a drain: something was settled.
    settled: Notify,
    writer: Writer,
    metrics: WebhookMetrics,
    clock: Clock,
}

/// Why there are no webhooks.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// No TLS for a receiver of `https`.
    #[error("TLS for webhook.urls: {0}")]
    Tls(#[from] rustls::Error),
}

impl Webhook {
    /// Starts a task for each receiver on this thread, which must run an actix system. `sdk_app_id` is told in Tencent's
    /// shape.
    pub fn start(
        config: &WebhookConfig,
        sdk_app_id: u64,
        clock: &Clock,
        metrics: &Metrics,
    ) -> Result<Self, WebhookError> {
        let secure = config.urls.iter().any(|url| url.scheme_str() == Some("https"));
        let tls = if secure { Some(http::tls()?) } else { None };
        let receivers = config.urls.iter().map(|url| {
            let writer = Writer { url: url.clone(), shape: config.shape, key: config.secret_key.clone(), sdk_app_id };
            let receiver = Arc::new(Receiver {
                queue: Mutex::new(Queue::new(rules(config))),
                offered: Notify::new(),
                settled: Notify::new(),
                writer,
                metrics: metrics.webhook().clone(),
                clock: clock.clone(),
            });
            actix_web::rt::spawn(receiver.clone().deliver(Http::new(tls.clone(), config.timeout.0)));
            receiver
        });
        let receivers = receivers.collect();
        Ok(Self(Arc::new(Inner { receivers, clock: clock.clone() })))
    }

    /// Whether there is any receiver.
    pub fn is_on(&self) -> bool {
        !self.0.receivers.is_empty()
    }

    /// Takes a change; returns at once, from any thread. A full queue drops its oldest event, which is counted.
    pub fn offer(&self, change: StateChange) {
        let Inner { receivers, clock } = &*self.0;
        if receivers.is_empty() {
            return;
        }
        let (event, now) = (Arc::new(Event { id: Uuid::new_v4(), change }), clock.now());
        for receiver in receivers {
            let offered = receiver.queue.lock().offer(event.clone(), now);
            match offered {
                Offered::Queued => {
                    receiver.metrics.queued.inc();
                }
                Offered::Displaced => {
                    receiver.metrics.dropped.inc();
                }
                Offered::Undone => {
                    receiver.metrics.queued.dec();
                    receiver.metrics.undone.inc();
                }
            }
            receiver.offered.notify_one();
        }
    }

    /// Sends what waits, no grace kept, and completes when nothing does: the caller bounds how long. To be awaited when
    /// nothing more will be offered.
    pub async fn drain(&self) {
        for receiver in &self.0.receivers {
            receiver.queue.lock().hurry(self.0.clock.now());
            receiver.offered.notify_one();
        }
        for receiver in &self.0.receivers {
            loop {
                let settled = receiver.settled.notified();
                if receiver.queue.lock().held() == 0 {
                    break;
                }
                settled.await;
            }
        }
    }
}

impl Receiver {
    /// Does what the queue says for as long as the thread lives.
    async fn deliver(self: Arc<Self>, http: Http) {
        let mut under_way = FuturesUnordered::new();
        loop {
            let step = self.queue.lock().next(self.clock.now());
            let wait = match step {
                Step::Send(delivery) => {
                    let request = self.writer.write(&delivery.event, self.clock.time_of_day());
                    let posted = http.post(request);
                    under_way.push(async { (delivery, posted.await) });
                    continue;
                }
                Step::WaitUntil(at) => Some(at.since(self.clock.now())),
                Step::Wait => None,
            };
            tokio::select! {
                Some((delivery, outcome)) = under_way.next() => self.settle(delivery, outcome),
                () = self.offered.notified() => {}
                () = sleep(wait) => {}
            }
        }
    }

    fn settle(&self, delivery: Delivery, outcome: Result<(), Failure>) {
        let mut queue = self.queue.lock();
        let failures = queue.failures();
        let settled = queue.settle(delivery, outcome.is_ok(), self.clock.now(), rand::random());
        drop(queue);
        let Self { metrics, writer, .. } = self;
        match settled {
            Settled::Sent => {
                metrics.queued.dec();
                metrics.sent.inc();
            }
            Settled::Waits => {}
            Settled::Dead => {
                metrics.queued.dec();
                metrics.dead.inc();
            }
        }
        // Once for each time it falls and gets up. Only the host: a URL may have a secret in it.
        let host = writer.url.host().unwrap_or_default();
        match outcome {
            Ok(()) if failures > 0 => log::info!(host, failures; "a webhook receiver takes events again"),
            Ok(()) => {}
            Err(failure) => {
                metrics.failures.inc();
                if failures == 0 {
                    log::warn!(host; "a webhook receiver does not take events: {failure}");
                }
            }
        }
        self.settled.notify_waiters();
    }
}

/// Waits so long; without a time, until another branch is taken.
async fn sleep(time: Option<Duration>) {
    match time {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}

fn rules(config: &WebhookConfig) -> Rules {
    Rules {
        bound: config.queue,
        grace: Duration::from_secs(config.grace_seconds),
        parallel: config.parallel,
        first_delay: config.retry_first.0,
        longest_delay: config.retry_longest.0,
        give_up: config.retry_for.0,
    }
}
