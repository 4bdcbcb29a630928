//! Each user in a ring follows the next ones. All publish at once, and again when every follower has every update.

use super::{at_least, require_no_losses};
use crate::arguments::Arguments;
use crate::harness::Harness;
use crate::outcome::Outcome;
use crate::process::ServerKind;

pub fn run(kind: ServerKind, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let users = arguments.users.unwrap_or(arguments.scaled(2_000));
    let follows = arguments.follows.unwrap_or(20).min(users - 1);
    let bursts = arguments.updates.unwrap_or(arguments.scaled_seconds(20));
    let mut harness = Harness::start(kind, arguments, "mesh")?;
    harness.open(users)?;
    for user in 0..users {
        let next: Vec<u32> = (1..=follows).map(|step| (user + step) % users).collect();
        harness.follow(user as usize, &next);
    }
    harness.settle_setup()?;
    (0..users).for_each(|user| harness.publish(user));
    harness.settle_setup()?;
    harness.show("publishing in bursts");
    harness.start_measurement();
    for _ in 0..bursts {
        (0..users).for_each(|user| harness.publish(user));
        if !harness.settle()? {
            break;
        }
    }
    let parameters =
        vec![("users", users.to_string()), ("follows", follows.to_string()), ("bursts", bursts.to_string())];
    let mut outcome = harness.finish("mesh", parameters, Vec::new());
    require_no_losses(&mut outcome);
    if let Some(deliveries) = outcome.deliveries_per_cpu_second() {
        outcome.checks.push(at_least("deliveries per CPU-second", deliveries, 250_000.0, ""));
    }
    Ok(outcome)
}
