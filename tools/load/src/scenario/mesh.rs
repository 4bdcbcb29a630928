//! Everybody in a ring follows the next ones; all publish at once, and again when everybody has everything.

use super::{at_least, unharmed};
use crate::arguments::Arguments;
use crate::outcome::Outcome;
use crate::process::Kind;
use crate::stage::Stage;

pub fn run(kind: Kind, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let users = arguments.users.unwrap_or(arguments.scaled(2_000));
    let follows = arguments.follows.unwrap_or(20).min(users - 1);
    let rounds = arguments.rounds.unwrap_or(arguments.scaled_seconds(20));
    let mut stage = Stage::start(kind, arguments, "mesh")?;
    stage.open(users)?;
    for user in 0..users {
        let next: Vec<u32> = (1..=follows).map(|step| (user + step) % users).collect();
        stage.follow(user as usize, &next);
    }
    stage.prepared()?;
    (0..users).for_each(|user| stage.publish(user));
    stage.prepared()?;
    stage.say("publishing in bursts");
    stage.measure();
    for _ in 0..rounds {
        (0..users).for_each(|user| stage.publish(user));
        if !stage.settle()? {
            break;
        }
    }
    let parameters =
        vec![("users", users.to_string()), ("follows", follows.to_string()), ("bursts", rounds.to_string())];
    let mut outcome = stage.outcome("mesh", parameters, Vec::new());
    unharmed(&mut outcome);
    if let Some(deliveries) = outcome.deliveries_per_cpu_second() {
        outcome.checks.push(at_least("deliveries per CPU-second", deliveries, 250_000.0, ""));
    }
    Ok(outcome)
}
