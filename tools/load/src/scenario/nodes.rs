//! Three nodes on one Redis, all on this machine: what it adds that a follower is somewhere else.

use super::fanout::{self, Shape};
use super::overload::Stream;
use super::{at_least, at_most, figure, herd, per, unharmed};
use crate::arguments::Arguments;
use crate::outcome::Outcome;
use crate::process::Kind;
use crate::servers::Servers;
use crate::stage::Stage;

const NODES: u32 = 3;

fn stage(arguments: &Arguments, title: &str) -> anyhow::Result<Stage> {
    Stage::on(Servers::nodes(NODES as usize, arguments)?, arguments, title)
}

/// Publishers at every node, each followed from the two others only, at a steady pace.
pub fn latency(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let publishers = arguments.publishers.unwrap_or(arguments.scaled(200)).next_multiple_of(NODES);
    let follows = arguments.follows.unwrap_or(10).min(publishers * 2 / NODES);
    let rate = arguments.rate.unwrap_or(5);
    let seconds = f64::from(arguments.seconds.unwrap_or(arguments.scaled_seconds(20)));
    let mut stage = stage(arguments, "nodes-latency")?;
    stage.open(publishers * 2)?;
    // A client is at the node of its number's remainder. Nobody follows a user of its own node.
    for follower in publishers..publishers * 2 {
        let others = (follower + 1..).filter(|user| user % NODES != follower % NODES).map(|user| user % publishers);
        stage.follow(follower as usize, &others.take(follows as usize).collect::<Vec<u32>>());
    }
    stage.prepared()?;
    let stream = Stream { publishers, rate };
    stage.say("warming up");
    stream.run(&mut stage, 1.0)?;
    stage.prepared()?;
    stage.say("publishing");
    stage.measure();
    let sent = stream.run(&mut stage, seconds)?;
    let updates = per(f64::from(u32::try_from(sent)?), 1) / stage.elapsed();
    stage.settle()?;
    let redis = stage.redis_used().unwrap_or_default();
    let figures = vec![
        figure("updates", updates, "/s"),
        figure("CPU of all nodes per update", per(stage.used().cpu_seconds * 1e6, sent), "µs"),
        figure("CPU of Redis per update", per(redis.cpu_seconds * 1e6, sent), "µs"),
    ];
    let parameters = vec![
        ("publishers", publishers.to_string()),
        ("updates a second each", rate.to_string()),
        ("followers of each", follows.to_string()),
    ];
    let mut outcome = stage.outcome("nodes-latency", parameters, figures);
    unharmed(&mut outcome);
    outcome.checks.push(at_least("updates a second", updates, f64::from(publishers * rate) * 0.99, ""));
    if let Some(p99) = outcome.p99_ms() {
        outcome.checks.push(at_most("p99 to another node", p99, 20.0, "ms"));
    }
    Ok(outcome)
}

/// The same fan-out with one node alone, then from the first of three nodes to the two others.
pub fn fanout(arguments: &Arguments) -> anyhow::Result<Vec<Outcome>> {
    let shape = Shape::of(arguments);
    let alone = fanout::run(Kind::Server, shape, arguments)?;
    let mut stage = stage(arguments, "nodes-fanout")?;
    fanout::populate(&mut stage, shape)?;
    let mut across = fanout::publish("nodes-fanout", stage, shape, arguments)?;
    if let (Some(one), Some(three)) = (alone.deliveries_per_cpu_second(), across.deliveries_per_cpu_second()) {
        across.checks.push(at_least("deliveries per CPU-second, of one node's", three / one, 0.7, ""));
    }
    Ok(vec![alone, across])
}

/// The herd, a third of it at each node.
pub fn herd(arguments: &Arguments) -> anyhow::Result<Outcome> {
    herd::come("nodes-herd", stage(arguments, "nodes-herd")?, 6.0, arguments)
}
