//! Connections that do nothing: memory and CPU of each.

use super::{at_most, figure, grown, per, unharmed};
use crate::arguments::Arguments;
use crate::outcome::Outcome;
use crate::process::Kind;
use crate::stage::Stage;

pub fn run(kind: Kind, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let users = arguments.users.unwrap_or(arguments.scaled(15_000));
    let seconds = arguments.seconds.unwrap_or(arguments.scaled_seconds(30));
    let mut stage = Stage::start(kind, arguments, "idle")?;
    stage.measure();
    let before = stage.used();
    stage.open(users)?;
    let opened = stage.used();
    // What the last handshakes left behind is given back meanwhile.
    stage.go_on(2.0)?;
    let rested = stage.used();
    stage.say("holding still");
    stage.go_on(f64::from(seconds))?;
    let held = stage.used();

    let accept = per((opened.cpu_seconds - before.cpu_seconds) * 1e6, users.into());
    let memory = per(grown(held.memory, before.memory) / 1024.0, users.into());
    let idle = (held.cpu_seconds - rested.cpu_seconds) / f64::from(seconds) * 100.0;
    let figures = vec![
        figure("memory per connection", memory, "KiB"),
        figure("CPU to accept a connection", accept, "µs"),
        figure("CPU while idle", idle, "% of a core"),
    ];
    let mut outcome = stage.outcome("idle", vec![("users", users.to_string())], figures);
    unharmed(&mut outcome);
    outcome.checks.push(at_most("memory per connection", memory, 10.0, "KiB"));
    outcome.checks.push(at_most("CPU to accept a connection", accept, 80.0, "µs"));
    outcome.checks.push(at_most("CPU while idle", idle, 2.0, "% of a core"));
    Ok(outcome)
}
