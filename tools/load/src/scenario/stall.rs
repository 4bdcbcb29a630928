//! Some followers stop reading under a stream of updates, then read on.

use super::overload::Stream;
use super::{figure, grown, unharmed};
use crate::arguments::Arguments;
use crate::outcome::Outcome;
use crate::process::Kind;
use crate::scenario::fanout::{self, Shape};

pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let publishers = arguments.publishers.unwrap_or(arguments.scaled(50));
    let followers = arguments.followers.unwrap_or(arguments.scaled(200));
    let rate = arguments.rate.unwrap_or(40);
    let seconds = f64::from(arguments.seconds.unwrap_or(arguments.scaled_seconds(10)));
    let stalled = (followers / 10).max(1);
    let shape = Shape { publishers, followers, rounds: None };
    let mut stage = fanout::set_up(Kind::Server, shape, arguments, "stall")?;
    let before = stage.used().memory;
    let stream = Stream { publishers, rate };
    stage.measure();
    stage.say("everybody reads");
    stream.run(&mut stage, 2.0)?;
    stage.say("some do not read");
    let stalling = publishers as usize..(publishers + stalled) as usize;
    stalling.clone().for_each(|client| stage.pause(client));
    stream.run(&mut stage, seconds)?;
    let during = stage.used().memory;
    stage.say("everybody reads again");
    stalling.for_each(|client| stage.resume(client));
    stream.run(&mut stage, 2.0)?;
    let stopped = stage.elapsed();
    stage.settle()?;
    let settled = stage.elapsed() - stopped;
    let figures = vec![
        figure("all at the latest state after", settled, "s"),
        figure("memory grown while stalled", grown(during, before) / 1048576.0, "MiB"),
    ];
    let parameters = vec![
        ("publishers", publishers.to_string()),
        ("updates a second each", rate.to_string()),
        ("followers", followers.to_string()),
        ("stalled", stalled.to_string()),
        ("seconds", seconds.to_string()),
    ];
    let mut outcome = stage.outcome("stall", parameters, figures);
    unharmed(&mut outcome);
    Ok(outcome)
}
