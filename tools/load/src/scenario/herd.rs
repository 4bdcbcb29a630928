//! All clients connect at once, set a status and follow others, as after a deployment.

use super::{at_most, figure, per, require_no_losses};
use crate::arguments::Arguments;
use crate::harness::Harness;
use crate::outcome::Outcome;
use crate::process::ServerKind;

pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    run_on("herd", Harness::start(ServerKind::Hereabouts, arguments, "herd")?, 2.5, arguments)
}

/// Connects all clients to the servers of `harness`. All must be settled within `limit` seconds.
pub fn run_on(
    scenario: &'static str,
    mut harness: Harness,
    limit: f64,
    arguments: &Arguments,
) -> anyhow::Result<Outcome> {
    let users = arguments.users.unwrap_or(arguments.scaled(5_000));
    let follows = arguments.follows.unwrap_or(100).min(users - 1);
    harness.start_measurement();
    harness.connect(users)?;
    let mut begun = 0;
    while begun < users && harness.elapsed() < 60.0 {
        harness.poll()?;
        for client in harness.take_newly_open() {
            let user = u32::try_from(client)?;
            begun += 1;
            harness.publish(user);
            let next: Vec<u32> = (1..=follows).map(|step| (user + step) % users).collect();
            harness.follow(client, &next);
        }
    }
    let opened = harness.elapsed();
    harness.settle()?;
    let settled = harness.elapsed();
    let cpu = per(harness.used().cpu_seconds * 1e6, users.into());
    let figures =
        vec![figure("all open", opened, "s"), figure("all settled", settled, "s"), figure("CPU per client", cpu, "µs")];
    let parameters = vec![("clients", users.to_string()), ("follows", follows.to_string())];
    let mut outcome = harness.finish(scenario, parameters, figures);
    require_no_losses(&mut outcome);
    outcome.checks.push(at_most("all settled", settled, limit, "s"));
    Ok(outcome)
}
