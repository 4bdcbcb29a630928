//! Some followers stop reading during a stream of updates, then they read again.

use super::overload::Stream;
use super::{figure, growth, require_no_losses};
use crate::arguments::Arguments;
use crate::outcome::Outcome;
use crate::process::ServerKind;
use crate::scenario::fanout::{self, Shape};

pub fn run(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let publishers = arguments.publishers.unwrap_or(arguments.scaled(50));
    let followers = arguments.followers.unwrap_or(arguments.scaled(200));
    let rate = arguments.rate.unwrap_or(40);
    let seconds = f64::from(arguments.seconds.unwrap_or(arguments.scaled_seconds(10)));
    let stalled = (followers / 10).max(1);
    let shape = Shape { publishers, followers, updates: None };
    let mut harness = fanout::set_up(ServerKind::Hereabouts, shape, arguments, "stall")?;
    let before = harness.used().memory;
    let stream = Stream { publishers, rate };
    harness.start_measurement();
    harness.show("every follower reads");
    stream.run(&mut harness, 2.0)?;
    harness.show("some followers do not read");
    let stalling = publishers as usize..(publishers + stalled) as usize;
    stalling.clone().for_each(|client| harness.pause(client));
    stream.run(&mut harness, seconds)?;
    let during = harness.used().memory;
    harness.show("every follower reads again");
    stalling.for_each(|client| harness.resume(client));
    stream.run(&mut harness, 2.0)?;
    let stopped = harness.elapsed();
    harness.settle()?;
    let settled = harness.elapsed() - stopped;
    let figures = vec![
        figure("all at the latest state after", settled, "s"),
        figure("memory grown while stalled", growth(during, before) / 1048576.0, "MiB"),
    ];
    let parameters = vec![
        ("publishers", publishers.to_string()),
        ("updates a second each", rate.to_string()),
        ("followers", followers.to_string()),
        ("stalled", stalled.to_string()),
        ("seconds", seconds.to_string()),
    ];
    let mut outcome = harness.finish("stall", parameters, figures);
    require_no_losses(&mut outcome);
    Ok(outcome)
}
