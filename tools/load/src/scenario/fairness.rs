//! Two unrelated users next to a large fan-out: their latency must not suffer from it.

use super::{at_most, figure, require_no_losses};
use crate::arguments::Arguments;
use crate::bystander::Bystander;
use crate::outcome::Outcome;
use crate::process::ServerKind;
use crate::scenario::fanout::{self, Shape};

pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let followers = arguments.followers.unwrap_or(arguments.scaled(15_000));
    let seconds = f64::from(arguments.seconds.unwrap_or(arguments.scaled_seconds(10)));
    let shape = Shape { publishers: 1, followers, updates: None };
    let mut harness = fanout::set_up(ServerKind::Hereabouts, shape, arguments, "fairness")?;
    let pair = Bystander::start(harness.servers.address(0), &arguments.encryption_key);
    harness.show("publishing");
    harness.start_measurement();
    while harness.elapsed() < seconds {
        harness.publish(0);
        harness.settle()?;
    }
    let pair = pair.stop()?;
    let figures = vec![
        figure("updates of the pair", f64::from(u32::try_from(pair.latency.len())?), ""),
        figure("the pair's p50", pair.millis(0.5), "ms"),
        figure("the pair's p99", pair.millis(0.99), "ms"),
        figure("the pair's slowest", pair.millis(1.0), "ms"),
    ];
    let mut outcome = harness.finish("fairness", vec![("followers", followers.to_string())], figures);
    require_no_losses(&mut outcome);
    outcome.checks.push(at_most("the pair's p99", pair.millis(0.99), 50.0, "ms"));
    Ok(outcome)
}
