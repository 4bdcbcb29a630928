//! Three nodes and one Redis on this machine: what it costs that a follower is on another node.

use super::fanout::{self, Shape};
use super::overload::Stream;
use super::{at_least, at_most, figure, herd, per, require_no_losses};
use crate::arguments::Arguments;
use crate::harness::Harness;
use crate::outcome::Outcome;
use crate::process::ServerKind;
use crate::servers::Servers;

const NODES: u32 = 3;

fn start(arguments: &Arguments, title: &str) -> anyhow::Result<Harness> {
    Harness::with_servers(Servers::nodes(NODES as usize, arguments)?, arguments, title)
}

/// Publishers on every node, which only users on the two other nodes follow, at a steady rate.
pub fn latency(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let publishers = arguments.publishers.unwrap_or(arguments.scaled(200)).next_multiple_of(NODES);
    let follows = arguments.follows.unwrap_or(10).min(publishers * 2 / NODES);
    let rate = arguments.rate.unwrap_or(5);
    let seconds = f64::from(arguments.seconds.unwrap_or(arguments.scaled_seconds(20)));
    let mut harness = start(arguments, "nodes-latency")?;
    harness.open(publishers * 2)?;
    // A client is on the node with the remainder of its number. No client follows a user of its own node.
    for follower in publishers..publishers * 2 {
        let others = (follower + 1..).filter(|user| user % NODES != follower % NODES).map(|user| user % publishers);
        harness.follow(follower as usize, &others.take(follows as usize).collect::<Vec<u32>>());
    }
    harness.settle_setup()?;
    let stream = Stream { publishers, rate };
    harness.show("warming up");
    stream.run(&mut harness, 1.0)?;
    harness.settle_setup()?;
    harness.show("publishing");
    harness.start_measurement();
    let sent = stream.run(&mut harness, seconds)?;
    let updates = per(f64::from(u32::try_from(sent)?), 1) / harness.elapsed();
    harness.settle()?;
    let redis = harness.redis_used().unwrap_or_default();
    let figures = vec![
        figure("updates", updates, "/s"),
        figure("CPU of all nodes per update", per(harness.used().cpu_seconds * 1e6, sent), "µs"),
        figure("CPU of Redis per update", per(redis.cpu_seconds * 1e6, sent), "µs"),
    ];
    let parameters = vec![
        ("publishers", publishers.to_string()),
        ("updates a second each", rate.to_string()),
        ("followers of each", follows.to_string()),
    ];
    let mut outcome = harness.finish("nodes-latency", parameters, figures);
    require_no_losses(&mut outcome);
    outcome.checks.push(at_least("updates a second", updates, f64::from(publishers * rate) * 0.99, ""));
    if let Some(p99) = outcome.p99_ms() {
        outcome.checks.push(at_most("p99 to another node", p99, 20.0, "ms"));
    }
    Ok(outcome)
}

/// The same fan-out on one node, then from the first of three nodes to the two others.
pub fn fanout(arguments: &Arguments) -> anyhow::Result<Vec<Outcome>> {
    let shape = Shape::of(arguments);
    let alone = fanout::run(ServerKind::Hereabouts, shape, arguments)?;
    let mut harness = start(arguments, "nodes-fanout")?;
    fanout::populate(&mut harness, shape)?;
    let mut across = fanout::publish("nodes-fanout", harness, shape, arguments)?;
    if let (Some(one), Some(three)) = (alone.deliveries_per_cpu_second(), across.deliveries_per_cpu_second()) {
        across.checks.push(at_least("deliveries per CPU-second, of one node's", three / one, 0.7, ""));
    }
    Ok(vec![alone, across])
}

/// The herd, a third of it on each node.
pub fn herd(arguments: &Arguments) -> anyhow::Result<Outcome> {
    herd::run_on("nodes-herd", start(arguments, "nodes-herd")?, 6.0, arguments)
}
