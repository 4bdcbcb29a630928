//! Few users publish, many follow all of them. The next update starts when every follower has the one before.

use super::{at_most, require_no_losses};
use crate::arguments::Arguments;
use crate::harness::{Harness, NodeSelection};
use crate::outcome::Outcome;
use crate::process::ServerKind;

/// Number of deliveries that make CPU times, which are read in hundredths of a second, precise enough.
const TARGET_DELIVERIES: u32 = 450_000;

/// The sizes of a fan-out.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub publishers: u32,
    pub followers: u32,
    /// Updates of each publisher. `None` means as many as make a good measurement.
    pub updates: Option<u32>,
}

impl Shape {
    pub fn of(arguments: &Arguments) -> Self {
        Self {
            publishers: arguments.publishers.unwrap_or(1),
            followers: arguments.followers.unwrap_or(arguments.scaled(1_000)),
            updates: arguments.updates,
        }
    }

    fn updates_each(self, arguments: &Arguments) -> u32 {
        let target = if arguments.quick { 2_000 } else { TARGET_DELIVERIES };
        self.updates.unwrap_or((target / self.publishers / self.followers).max(3))
    }
}

/// Starts a server and populates it.
pub fn set_up(kind: ServerKind, shape: Shape, arguments: &Arguments, title: &str) -> anyhow::Result<Harness> {
    let mut harness = Harness::start(kind, arguments, title)?;
    populate(&mut harness, shape)?;
    Ok(harness)
}

/// Connects the publishers and their followers, and delivers one update of each publisher. With several nodes, no
/// follower is on the node of a publisher.
pub fn populate(harness: &mut Harness, shape: Shape) -> anyhow::Result<()> {
    let Shape { publishers, followers, .. } = shape;
    harness.select_nodes(NodeSelection::First);
    harness.open(publishers)?;
    harness.select_nodes(NodeSelection::Others);
    harness.open(followers)?;
    let published: Vec<u32> = (0..publishers).collect();
    for follower in publishers..publishers + followers {
        harness.follow(follower as usize, &published);
        if follower % 500 == 0 {
            harness.settle_setup()?;
        }
    }
    published.iter().for_each(|&user| harness.publish(user));
    harness.settle_setup()
}

pub fn run(kind: ServerKind, shape: Shape, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let harness = set_up(kind, shape, arguments, if kind == ServerKind::Floor { "floor" } else { "fanout" })?;
    publish("fanout", harness, shape, arguments)
}

/// Publishes one update after the other and returns what was measured.
pub fn publish(
    scenario: &'static str,
    mut harness: Harness,
    shape: Shape,
    arguments: &Arguments,
) -> anyhow::Result<Outcome> {
    let updates = shape.updates_each(arguments);
    harness.show("publishing");
    harness.start_measurement();
    for _ in 0..updates {
        for user in 0..shape.publishers {
            harness.publish(user);
            if !harness.settle()? {
                break;
            }
        }
    }
    let parameters = vec![
        ("publishers", shape.publishers.to_string()),
        ("followers", shape.followers.to_string()),
        ("updates", (updates * shape.publishers).to_string()),
    ];
    let mut outcome = harness.finish(scenario, parameters, Vec::new());
    require_no_losses(&mut outcome);
    if shape.followers >= 15_000 {
        #[expect(clippy::cast_precision_loss, reason = "below a minute")]
        let p99 = outcome.latency.value_at_quantile(0.99) as f64 / 1000.0;
        outcome.checks.push(at_most("p99 from update to arrival", p99, 350.0, "ms"));
    }
    Ok(outcome)
}
