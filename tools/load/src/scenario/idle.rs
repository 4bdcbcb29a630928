//! Connections that do nothing: memory and CPU time of each.

use super::{at_most, figure, growth, per, require_no_losses};
use crate::arguments::Arguments;
use crate::harness::Harness;
use crate::outcome::Outcome;
use crate::process::ServerKind;

pub fn run(kind: ServerKind, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let users = arguments.users.unwrap_or(arguments.scaled(15_000));
    let seconds = arguments.seconds.unwrap_or(arguments.scaled_seconds(30));
    let mut harness = Harness::start(kind, arguments, "idle")?;
    harness.start_measurement();
    let before = harness.used();
    harness.open(users)?;
    let opened = harness.used();
    // In this time the server frees what the last handshakes needed.
    harness.run_for(2.0)?;
    let rested = harness.used();
    harness.show("idle");
    harness.run_for(f64::from(seconds))?;
    let held = harness.used();

    let accept = per((opened.cpu_seconds - before.cpu_seconds) * 1e6, users.into());
    let memory = per(growth(held.memory, before.memory) / 1024.0, users.into());
    let idle = (held.cpu_seconds - rested.cpu_seconds) / f64::from(seconds) * 100.0;
    let figures = vec![
        figure("memory per connection", memory, "KiB"),
        figure("CPU to accept a connection", accept, "µs"),
        figure("CPU while idle", idle, "% of a core"),
    ];
    let mut outcome = harness.finish("idle", vec![("users", users.to_string())], figures);
    require_no_losses(&mut outcome);
    outcome.checks.push(at_most("memory per connection", memory, 10.0, "KiB"));
    outcome.checks.push(at_most("CPU to accept a connection", accept, 80.0, "µs"));
    outcome.checks.push(at_most("CPU while idle", idle, 2.0, "% of a core"));
    Ok(outcome)
}
