//! Everybody comes at once, shows a status and follows others, as after a deploy.

use super::{at_most, figure, per, unharmed};
use crate::arguments::Arguments;
use crate::outcome::Outcome;
use crate::process::Kind;
use crate::stage::Stage;

pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    come("herd", Stage::start(Kind::Server, arguments, "herd")?, 2.5, arguments)
}

/// Has everybody come to these servers; all are to be settled within `limit` seconds.
pub fn come(scenario: &'static str, mut stage: Stage, limit: f64, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let users = arguments.users.unwrap_or(arguments.scaled(5_000));
    let follows = arguments.follows.unwrap_or(100).min(users - 1);
    stage.measure();
    stage.connect(users)?;
    let mut begun = 0;
    while begun < users && stage.elapsed() < 60.0 {
        stage.turn()?;
        for client in stage.newly_open() {
            let user = u32::try_from(client)?;
            begun += 1;
            stage.publish(user);
            let next: Vec<u32> = (1..=follows).map(|step| (user + step) % users).collect();
            stage.follow(client, &next);
        }
    }
    let opened = stage.elapsed();
    stage.settle()?;
    let settled = stage.elapsed();
    let cpu = per(stage.used().cpu_seconds * 1e6, users.into());
    let figures =
        vec![figure("all open", opened, "s"), figure("all settled", settled, "s"), figure("CPU per client", cpu, "µs")];
    let parameters = vec![("clients", users.to_string()), ("follows", follows.to_string())];
    let mut outcome = stage.outcome(scenario, parameters, figures);
    unharmed(&mut outcome);
    outcome.checks.push(at_most("all settled", settled, limit, "s"));
    Ok(outcome)
}
