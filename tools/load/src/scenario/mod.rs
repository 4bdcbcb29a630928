//! The scenarios, one file each, and the list of those that a complete run contains.

mod attack;
mod churn;
mod fairness;
mod fanout;
mod growth;
mod herd;
mod idle;
mod mesh;
mod nodes;
mod overload;
mod stall;

use crate::arguments::{Arguments, Scenario};
use crate::outcome::{Check, Figure, Outcome};
use crate::process::ServerKind;

pub use fanout::Shape as FanoutShape;

/// Runs one scenario, after the floor with the same sizes where there is one.
pub fn run(scenario: Scenario, arguments: &Arguments) -> anyhow::Result<Vec<Outcome>> {
    match scenario {
        Scenario::Floor => {
            let shape = FanoutShape::of(arguments);
            Ok(vec![fanout::run(ServerKind::Floor, shape, arguments)?])
        }
        Scenario::Idle => with_floor(arguments, idle::run),
        Scenario::Fanout => {
            with_floor(arguments, |kind, arguments| fanout::run(kind, FanoutShape::of(arguments), arguments))
        }
        Scenario::Mesh => with_floor(arguments, mesh::run),
        Scenario::Herd => Ok(vec![herd::run(arguments)?]),
        Scenario::Churn => Ok(vec![churn::run(arguments)?]),
        Scenario::Stall => Ok(vec![stall::run(arguments)?]),
        Scenario::Overload => Ok(vec![overload::run(arguments)?]),
        Scenario::Fairness => Ok(vec![fairness::run(arguments)?]),
        Scenario::Growth => growth::run(arguments),
        Scenario::Attack => attack::run(arguments),
        Scenario::NodesLatency => Ok(vec![nodes::latency(arguments)?]),
        Scenario::NodesFanout => nodes::fanout(arguments),
        Scenario::NodesHerd => Ok(vec![nodes::herd(arguments)?]),
    }
}

/// Runs every scenario of one node, in the sizes of docs/performance.md.
pub fn run_all(arguments: &Arguments) -> anyhow::Result<Vec<Outcome>> {
    let mut outcomes = run(Scenario::Idle, arguments)?;
    for followers in [1_000, 15_000] {
        let shape = FanoutShape { publishers: 1, followers: arguments.scaled(followers), updates: None };
        outcomes.extend(with_floor(arguments, |kind, arguments| fanout::run(kind, shape, arguments))?);
    }
    let rest = [
        Scenario::Mesh,
        Scenario::Herd,
        Scenario::Churn,
        Scenario::Stall,
        Scenario::Overload,
        Scenario::Fairness,
        Scenario::Growth,
    ];
    for scenario in rest {
        outcomes.extend(run(scenario, arguments)?);
    }
    Ok(outcomes)
}

/// Runs the floor, then the server, and compares them.
fn with_floor(
    arguments: &Arguments,
    run: impl Fn(ServerKind, &Arguments) -> anyhow::Result<Outcome>,
) -> anyhow::Result<Vec<Outcome>> {
    if arguments.without_floor {
        return Ok(vec![run(ServerKind::Hereabouts, arguments)?]);
    }
    let mut floor = run(ServerKind::Floor, arguments)?;
    let mut server = run(ServerKind::Hereabouts, arguments)?;
    floor.scenario = "floor";
    floor.checks.clear();
    server.floor = floor.deliveries_per_cpu_second();
    if let (Some(floor), Some(own)) = (server.floor, server.deliveries_per_cpu_second()) {
        let ratio = own / floor;
        if server.scenario == "fanout" {
            server.checks.push(at_least("deliveries per CPU-second, of the floor's", ratio, 0.85, ""));
        }
    }
    Ok(vec![floor, server])
}

fn figure(name: &'static str, value: f64, unit: &'static str) -> Figure {
    Figure { name, value, unit }
}

fn at_most(what: &str, measured: f64, limit: f64, unit: &str) -> Check {
    Check {
        what: what.to_owned(),
        wanted: format!("≤ {limit} {unit}").trim_end().to_owned(),
        measured: format!("{measured:.2} {unit}").trim_end().to_owned(),
        holds: measured <= limit,
    }
}

fn at_least(what: &str, measured: f64, limit: f64, unit: &str) -> Check {
    Check {
        what: what.to_owned(),
        wanted: format!("≥ {limit} {unit}").trim_end().to_owned(),
        measured: format!("{measured:.2} {unit}").trim_end().to_owned(),
        holds: measured >= limit,
    }
}

/// Adds the limits of every scenario: no connection is dropped, and every follower ends at the latest state.
fn require_no_losses(outcome: &mut Outcome) {
    outcome.checks.push(Check {
        what: "connections dropped".to_owned(),
        wanted: "0".to_owned(),
        measured: outcome.dropped.to_string(),
        holds: outcome.dropped == 0,
    });
    outcome.checks.push(Check {
        what: "states lost".to_owned(),
        wanted: "0".to_owned(),
        measured: outcome.lost.to_string(),
        holds: outcome.lost == 0,
    });
}

#[expect(clippy::cast_precision_loss, reason = "reports show three digits")]
fn per(total: f64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { total / count as f64 }
}

#[expect(clippy::cast_precision_loss, reason = "reports show three digits")]
fn growth(after: u64, before: u64) -> f64 {
    after as f64 - before as f64
}
