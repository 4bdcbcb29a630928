//! Users appear and vanish under the eyes of followers: a wave of log-ins, then everybody's line breaks.

use super::{figure, unharmed};
use crate::arguments::Arguments;
use crate::outcome::Outcome;
use crate::process::Kind;
use crate::stage::Stage;

/// Log-ins under way at once.
const AT_ONCE: u32 = 200;

pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let users = arguments.users.unwrap_or(arguments.scaled(2_000));
    let followers = arguments.followers.unwrap_or(arguments.scaled(200));
    let mut stage = Stage::start(Kind::Server, arguments, "churn")?;
    stage.open(followers)?;
    let watched: Vec<u32> = (followers..followers + users).collect();
    for follower in 0..followers {
        stage.follow(follower as usize, &watched);
        stage.prepared()?;
    }
    stage.newly_open();
    stage.say("logging in");
    stage.measure();
    let (mut begun, mut shown) = (0, 0);
    while shown < users && stage.elapsed() < 60.0 {
        let more = AT_ONCE.min(users - begun).saturating_sub(begun - shown);
        stage.connect(more)?;
        begun += more;
        stage.turn()?;
        for client in stage.newly_open() {
            stage.publish(u32::try_from(client)?);
            shown += 1;
        }
    }
    stage.settle()?;
    let joined = stage.elapsed();
    stage.say("vanishing");
    watched.iter().for_each(|&user| stage.vanish(user));
    stage.settle()?;
    let left = stage.elapsed() - joined;
    let figures = vec![figure("everybody seen after", joined, "s"), figure("everybody gone after", left, "s")];
    let parameters = vec![("logins", users.to_string()), ("followers", followers.to_string())];
    let mut outcome = stage.outcome("churn", parameters, figures);
    unharmed(&mut outcome);
    Ok(outcome)
}
