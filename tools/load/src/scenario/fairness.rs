//! Two unrelated users next to a large fan-out: their latency must not suffer from it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;

use super::{at_most, figure, require_no_losses};
use crate::arguments::Arguments;
use crate::clients::{ClientEvent, Clients};
use crate::clock;
use crate::outcome::Outcome;
use crate::process::ServerKind;
use crate::scenario::fanout::{self, Shape};
use crate::tracker::DeliveryTracker;
use crate::wire;

/// The numbers of the pair, far from those of the other users.
const PUBLISHER: u32 = 1_000_000;
const FOLLOWER: u32 = 1_000_001;

/// Seconds between two updates of the pair.
const INTERVAL: f64 = 0.02;

pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let followers = arguments.followers.unwrap_or(arguments.scaled(15_000));
    let seconds = f64::from(arguments.seconds.unwrap_or(arguments.scaled_seconds(10)));
    let shape = Shape { publishers: 1, followers, updates: None };
    let mut harness = fanout::set_up(ServerKind::Hereabouts, shape, arguments, "fairness")?;
    let over = Arc::new(AtomicBool::new(false));
    let (address, key, flag) = (harness.servers.address(0), arguments.encryption_key.clone(), over.clone());
    let pair = std::thread::spawn(move || measure_pair(address, key.as_bytes(), &flag));
    harness.show("publishing");
    harness.start_measurement();
    while harness.elapsed() < seconds {
        harness.publish(0);
        harness.settle()?;
    }
    over.store(true, Ordering::Relaxed);
    let latency = pair.join().map_err(|_| anyhow::anyhow!("the thread of the pair panicked"))??;
    let figures = vec![
        figure("updates of the pair", f64::from(u32::try_from(latency.len())?), ""),
        figure("the pair's p50", millis(&latency, 0.5), "ms"),
        figure("the pair's p99", millis(&latency, 0.99), "ms"),
        figure("the pair's slowest", millis(&latency, 1.0), "ms"),
    ];
    let mut outcome = harness.finish("fairness", vec![("followers", followers.to_string())], figures);
    require_no_losses(&mut outcome);
    outcome.checks.push(at_most("the pair's p99", millis(&latency, 0.99), 50.0, "ms"));
    Ok(outcome)
}

#[expect(clippy::cast_precision_loss, reason = "below a minute")]
fn millis(latency: &Histogram<u64>, quantile: f64) -> f64 {
    latency.value_at_quantile(quantile) as f64 / 1000.0
}

/// Lets one user follow the other, on a thread of its own so that the reads of the other clients do not count.
fn measure_pair(address: SocketAddr, key: &[u8], over: &AtomicBool) -> anyhow::Result<Histogram<u64>> {
    let mut clients = Clients::new()?;
    let mut tracker = DeliveryTracker::new()?;
    let mut opened = 0;
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
    while !over.load(Ordering::Relaxed) {
        if clock::seconds() >= next && tracker.behind == 0 {
            next = clock::seconds() + INTERVAL;
            let status = tracker.next_status(PUBLISHER);
            clients.send(0, &wire::update(&status));
        }
        clients.poll(Duration::from_millis(5), |client, event| {
            if let ClientEvent::Message(message) = event {
                tracker.receive(client, message);
            }
        })?;
    }
    Ok(tracker.latency)
}
