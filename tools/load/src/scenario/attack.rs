//! Hostile clients next to two users: what the two notice of each kind of attack.

use super::{at_most, figure, growth, require_no_losses};
use crate::arguments::Arguments;
use crate::attackers::{Attack, Attackers};
use crate::bystander::Bystander;
use crate::harness::Harness;
use crate::outcome::Outcome;
use crate::process::{ServerKind, socket_memory};

/// Maximum milliseconds of the bystander's p99.
const LIMIT: f64 = 10.0;

/// Runs every attack, each against a server of its own.
pub fn run(arguments: &Arguments) -> anyhow::Result<Vec<Outcome>> {
    Attack::all().iter().map(|&attack| run_one(attack, arguments)).collect()
}

fn run_one(attack: Attack, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let attackers = arguments.users.unwrap_or(if arguments.quick { 2 } else { 8 });
    let seconds = f64::from(arguments.seconds.unwrap_or(if arguments.quick { 1 } else { 10 }));
    let mut harness = Harness::start(ServerKind::Hereabouts, arguments, "attack")?;
    harness.show(attack.name());
    let address = harness.servers.address(0);
    let kernel = socket_memory();
    let bystander = Bystander::start(address, &arguments.encryption_key);
    let attacking = Attackers::start(attack, attackers, address, &arguments.encryption_key)?;
    harness.start_measurement();
    harness.run_for(seconds)?;
    let kernel = socket_memory().max(kernel) - kernel;
    let sent = attacking.stop()?;
    let report = bystander.stop()?;
    let figures = vec![
        figure("updates of the bystander", f64::from(u32::try_from(report.latency.len())?), ""),
        figure("the bystander's p50", report.millis(0.5), "ms"),
        figure("the bystander's p99", report.millis(0.99), "ms"),
        figure("the bystander's slowest", report.millis(1.0), "ms"),
        figure("taken from the attackers", growth(sent, 0) / 1024.0 / seconds, "KiB/s"),
        figure("memory of all sockets in the kernel", growth(kernel, 0) / 1048576.0, "MiB"),
    ];
    let parameters = vec![("attack", attack.name().to_owned()), ("attackers", attackers.to_string())];
    let mut outcome = harness.finish("attack", parameters, figures);
    outcome.connections = usize::try_from(attackers)? + 2;
    outcome.deliveries = report.latency.len();
    (outcome.lost, outcome.dropped) = (report.lost, report.dropped);
    require_no_losses(&mut outcome);
    outcome.checks.push(at_most("the bystander's p99", report.millis(0.99), LIMIT, "ms"));
    outcome.latency = report.latency;
    Ok(outcome)
}
