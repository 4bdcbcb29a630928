//! Two unrelated users next to a load: how long an update of one takes to reach the other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::clients::{ClientEvent, Clients};
use crate::clock;
use crate::tracker::DeliveryTracker;
use crate::wire;

/// The numbers of the pair, far from those of the other users.
const PUBLISHER: u32 = 1_000_000;
const FOLLOWER: u32 = 1_000_001;

/// Seconds between two updates of the pair.
const INTERVAL: f64 = 0.02;

/// Seconds in which the last update must arrive.
const LAST: f64 = 30.0;

/// A pair of users on a thread of its own, so that the reads of other clients do not count.
pub struct Bystander {
    over: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<BystanderReport>>,
}

/// What a pair has seen.
pub struct BystanderReport {
    /// Microseconds from an update's send to its arrival.
    pub latency: Histogram<u64>,
    /// Updates that did not arrive.
    pub lost: u64,
    /// Connections that the server ended.
    pub dropped: usize,
}

impl BystanderReport {
    /// Returns the latency in milliseconds at `quantile` (0 to 1).
    #[expect(clippy::cast_precision_loss, reason = "below a minute")]
    pub fn millis(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1000.0
    }
}

impl Bystander {
    /// Connects a pair to the server at `address`. It publishes until it is stopped.
    pub fn start(address: SocketAddr, key: &str) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (key, flag) = (key.to_owned(), over.clone());
        Self { over, thread: std::thread::spawn(move || measure(address, key.as_bytes(), &flag)) }
    }

    /// Stops the pair and returns what it has seen.
    pub fn stop(self) -> anyhow::Result<BystanderReport> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the thread of the pair panicked"))?
    }
}

/// Lets one user follow the other until `over`.
fn measure(address: SocketAddr, key: &[u8], over: &AtomicBool) -> anyhow::Result<BystanderReport> {
    let mut clients = Clients::new()?;
    let mut tracker = DeliveryTracker::new()?;
    let (mut opened, mut dropped) = (0, 0);
    for user in [PUBLISHER, FOLLOWER] {
        clients.open(address, &wire::handshake(&wire::token(user, key, clock::unix_seconds())?, false))?;
    }
    while opened < 2 {
        clients
            .poll(Duration::from_millis(10), |_, event| opened += u32::from(matches!(event, ClientEvent::Opened)))?;
    }
    tracker.follow(1, PUBLISHER);
    clients.send(1, &wire::follow(&[PUBLISHER]));
    let mut next = clock::seconds() + INTERVAL;
    let mut end = f64::INFINITY;
    while clock::seconds() < end && dropped == 0 {
        if over.load(Ordering::Relaxed) {
            end = if tracker.behind == 0 { 0.0 } else { end.min(clock::seconds() + LAST) };
        } else if clock::seconds() >= next && tracker.behind == 0 {
            next = clock::seconds() + INTERVAL;
            let status = tracker.next_status(PUBLISHER);
            clients.send(0, &wire::update(&status));
        }
        clients.poll(Duration::from_millis(5), |client, event| match event {
            ClientEvent::Message(message) => tracker.receive(client, message),
            ClientEvent::Closed => dropped += 1,
            ClientEvent::Opened => {}
        })?;
    }
    Ok(BystanderReport { latency: tracker.latency, lost: tracker.behind, dropped })
}
