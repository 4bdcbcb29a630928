//! The cost of a delivery and of a follow at growing numbers: both should stay flat.

use super::{at_most, figure, growth, per, require_no_losses};
use crate::arguments::Arguments;
use crate::harness::Harness;
use crate::outcome::Outcome;
use crate::process::ServerKind;
use crate::scenario::fanout::{self, Shape};

pub fn run(arguments: &Arguments) -> anyhow::Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    for followers in [100, 1_000, 4_000, 15_000] {
        outcomes.push(deliveries(arguments.scaled(followers), arguments)?);
    }
    for follows in [10, 100, 1_000, 4_000] {
        outcomes.push(edges(arguments.scaled(follows), arguments)?);
    }
    Ok(outcomes)
}

fn deliveries(followers: u32, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let shape = Shape { publishers: 1, followers, updates: None };
    let mut outcome = fanout::run(ServerKind::Hereabouts, shape, arguments)?;
    let cost = per(outcome.server_cpu_seconds * 1e6, outcome.deliveries);
    outcome.scenario = "growth";
    outcome.figures.push(figure("CPU per delivery", cost, "µs"));
    outcome.checks.clear();
    require_no_losses(&mut outcome);
    Ok(outcome)
}

/// Measures clients that each follow the same users, which a client followed before.
fn edges(follows: u32, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let total = arguments.scaled(400_000).max(follows);
    let clients = (total / follows).clamp(1, 12_000);
    let mut harness = Harness::start(ServerKind::Hereabouts, arguments, "growth")?;
    harness.open(clients + 1)?;
    let followed: Vec<u32> = (1_000_000..1_000_000 + follows).collect();
    harness.follow(0, &followed);
    harness.settle_setup()?;
    harness.start_measurement();
    let before = harness.used();
    for client in 1..=clients as usize {
        harness.follow(client, &followed);
        if client % 50 == 0 {
            harness.settle_setup()?;
        }
    }
    harness.settle()?;
    let after = harness.used();
    let edges = u64::from(clients) * u64::from(follows);
    let memory = per(growth(after.memory, before.memory), edges);
    let figures = vec![
        figure("CPU per follow", per((after.cpu_seconds - before.cpu_seconds) * 1e6, edges), "µs"),
        figure("memory per follow", memory, "B"),
    ];
    let parameters = vec![("clients", clients.to_string()), ("follows of each", follows.to_string())];
    let mut outcome = harness.finish("growth", parameters, figures);
    require_no_losses(&mut outcome);
    if follows >= 1_000 {
        outcome.checks.push(at_most("memory per follow", memory, 64.0, "B"));
    }
    Ok(outcome)
}
