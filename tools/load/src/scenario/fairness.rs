//! An unrelated pair beside a large fan-out: it must not feel it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hdrhistogram::Histogram;

use super::{at_most, figure, unharmed};
use crate::arguments::Arguments;
use crate::clock;
use crate::crowd::{Crowd, Heard};
use crate::ledger::Ledger;
use crate::outcome::Outcome;
use crate::process::Kind;
use crate::scenario::fanout::{self, Shape};
use crate::wire;

/// The pair's numbers, far from everybody else's.
const SPEAKER: u32 = 1_000_000;
const LISTENER: u32 = 1_000_001;

/// Between two updates of the pair.
const PAUSE: f64 = 0.02;

pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let followers = arguments.followers.unwrap_or(arguments.scaled(15_000));
    let seconds = f64::from(arguments.seconds.unwrap_or(arguments.scaled_seconds(10)));
    let shape = Shape { publishers: 1, followers, rounds: None };
    let mut stage = fanout::set_up(Kind::Server, shape, arguments, "fairness")?;
    let over = Arc::new(AtomicBool::new(false));
    let (address, key, flag) = (stage.servers.address(0), arguments.encryption_key.clone(), over.clone());
    let pair = std::thread::spawn(move || talk(address, key.as_bytes(), &flag));
    stage.say("publishing");
    stage.measure();
    while stage.elapsed() < seconds {
        stage.publish(0);
        stage.settle()?;
    }
    over.store(true, Ordering::Relaxed);
    let heard = pair.join().map_err(|_| anyhow::anyhow!("the pair failed"))??;
    let figures = vec![
        figure("updates of the pair", f64::from(u32::try_from(heard.len())?), ""),
        figure("the pair's p50", millis(&heard, 0.5), "ms"),
        figure("the pair's p99", millis(&heard, 0.99), "ms"),
        figure("the pair's slowest", millis(&heard, 1.0), "ms"),
    ];
    let mut outcome = stage.outcome("fairness", vec![("followers", followers.to_string())], figures);
    unharmed(&mut outcome);
    outcome.checks.push(at_most("the pair's p99", millis(&heard, 0.99), 50.0, "ms"));
    Ok(outcome)
}

#[expect(clippy::cast_precision_loss, reason = "below a minute")]
fn millis(heard: &Histogram<u64>, quantile: f64) -> f64 {
    heard.value_at_quantile(quantile) as f64 / 1000.0
}

/// One follows the other, on a thread of its own so that the crowd's reading does not count.
fn talk(address: SocketAddr, key: &[u8], over: &AtomicBool) -> anyhow::Result<Histogram<u64>> {
    let mut crowd = Crowd::new()?;
    let mut ledger = Ledger::new()?;
    let mut opened = 0;
    for user in [SPEAKER, LISTENER] {
        crowd.open(address, &wire::handshake(&wire::token(user, key, clock::unix_seconds())?, false))?;
    }
    while opened < 2 {
        crowd.turn(Duration::from_millis(10), |_, heard| opened += u32::from(matches!(heard, Heard::Opened)))?;
    }
    ledger.follows(1, SPEAKER);
    crowd.say(1, &wire::follow(&[SPEAKER]));
    let mut next = clock::seconds() + PAUSE;
    while !over.load(Ordering::Relaxed) {
        if clock::seconds() >= next && ledger.behind == 0 {
            next = clock::seconds() + PAUSE;
            let status = ledger.shows(SPEAKER);
            crowd.say(0, &wire::update(&status));
        }
        crowd.turn(Duration::from_millis(5), |client, heard| {
            if let Heard::Message(message) = heard {
                ledger.heard(client, message);
            }
        })?;
    }
    Ok(ledger.latency)
}
