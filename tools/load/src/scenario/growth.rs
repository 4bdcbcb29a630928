//! What a delivery and a follow cost as their number grows: both should stay flat.

use super::{at_most, figure, grown, per, unharmed};
use crate::arguments::Arguments;
use crate::outcome::Outcome;
use crate::process::Kind;
use crate::scenario::fanout::{self, Shape};
use crate::stage::Stage;

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
    let shape = Shape { publishers: 1, followers, rounds: None };
    let mut outcome = fanout::run(Kind::Server, shape, arguments)?;
    let cost = per(outcome.server_cpu_seconds * 1e6, outcome.deliveries);
    outcome.scenario = "growth";
    outcome.figures.push(figure("CPU per delivery", cost, "µs"));
    outcome.checks.clear();
    unharmed(&mut outcome);
    Ok(outcome)
}

/// Clients that follow that many users each, all the same ones, who have been followed before.
fn edges(follows: u32, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let total = arguments.scaled(400_000).max(follows);
    let clients = (total / follows).clamp(1, 12_000);
    let mut stage = Stage::start(Kind::Server, arguments, "growth")?;
    stage.open(clients + 1)?;
    let followed: Vec<u32> = (1_000_000..1_000_000 + follows).collect();
    stage.follow(0, &followed);
    stage.prepared()?;
    stage.measure();
    let before = stage.used();
    for client in 1..=clients as usize {
        stage.follow(client, &followed);
        if client % 50 == 0 {
            stage.prepared()?;
        }
    }
    stage.settle()?;
    let after = stage.used();
    let edges = u64::from(clients) * u64::from(follows);
    let memory = per(grown(after.memory, before.memory), edges);
    let figures = vec![
        figure("CPU per follow", per((after.cpu_seconds - before.cpu_seconds) * 1e6, edges), "µs"),
        figure("memory per follow", memory, "B"),
    ];
    let parameters = vec![("clients", clients.to_string()), ("follows of each", follows.to_string())];
    let mut outcome = stage.outcome("growth", parameters, figures);
    unharmed(&mut outcome);
    if follows >= 1_000 {
        outcome.checks.push(at_most("memory per follow", memory, 64.0, "B"));
    }
    Ok(outcome)
}
