//! Users log in and disconnect while others follow them: a wave of logins, then every connection breaks.

use super::{figure, require_no_losses};
use crate::arguments::Arguments;
use crate::harness::Harness;
use crate::outcome::Outcome;
use crate::process::ServerKind;

/// Maximum number of concurrent logins.
const MAX_LOGINS: u32 = 200;

pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let users = arguments.users.unwrap_or(arguments.scaled(2_000));
    let followers = arguments.followers.unwrap_or(arguments.scaled(200));
    let mut harness = Harness::start(ServerKind::Hereabouts, arguments, "churn")?;
    harness.open(followers)?;
    let followed: Vec<u32> = (followers..followers + users).collect();
    for follower in 0..followers {
        harness.follow(follower as usize, &followed);
        harness.settle_setup()?;
    }
    harness.take_newly_open();
    harness.show("logging in");
    harness.start_measurement();
    let (mut begun, mut visible) = (0, 0);
    while visible < users && harness.elapsed() < 60.0 {
        let more = MAX_LOGINS.min(users - begun).saturating_sub(begun - visible);
        harness.connect(more)?;
        begun += more;
        harness.poll()?;
        for client in harness.take_newly_open() {
            harness.publish(u32::try_from(client)?);
            visible += 1;
        }
    }
    harness.settle()?;
    let joined = harness.elapsed();
    harness.show("disconnecting");
    followed.iter().for_each(|&user| harness.disconnect(user));
    harness.settle()?;
    let left = harness.elapsed() - joined;
    let figures = vec![figure("all logins seen after", joined, "s"), figure("all disconnects seen after", left, "s")];
    let parameters = vec![("logins", users.to_string()), ("followers", followers.to_string())];
    let mut outcome = harness.finish("churn", parameters, figures);
    require_no_losses(&mut outcome);
    Ok(outcome)
}
