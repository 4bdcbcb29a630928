//! Few publish, many follow all of them: one update at a time, the next when everybody has it.

use super::{at_most, unharmed};
use crate::arguments::Arguments;
use crate::outcome::Outcome;
use crate::process::Kind;
use crate::stage::{Part, Stage};

/// Deliveries that make a figure of a CPU time read in hundredths of a second.
const ENOUGH: u32 = 450_000;

#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub publishers: u32,
    pub followers: u32,
    /// Updates of each publisher; none: as many as make a good measurement.
    pub rounds: Option<u32>,
}

impl Shape {
    pub fn of(arguments: &Arguments) -> Self {
        Self {
            publishers: arguments.publishers.unwrap_or(1),
            followers: arguments.followers.unwrap_or(arguments.scaled(1_000)),
            rounds: arguments.rounds,
        }
    }

    fn rounds(self, arguments: &Arguments) -> u32 {
        let enough = if arguments.quick { 2_000 } else { ENOUGH };
        self.rounds.unwrap_or((enough / self.publishers / self.followers).max(3))
    }
}

/// A server with its publishers and followers, one update told.
pub fn set_up(kind: Kind, shape: Shape, arguments: &Arguments, title: &str) -> anyhow::Result<Stage> {
    let mut stage = Stage::start(kind, arguments, title)?;
    populate(&mut stage, shape)?;
    Ok(stage)
}

/// The publishers and their followers, one update told. Where there are several nodes, no follower is where a publisher
/// is.
pub fn populate(stage: &mut Stage, shape: Shape) -> anyhow::Result<()> {
    let Shape { publishers, followers, .. } = shape;
    stage.head_for(Part::First);
    stage.open(publishers)?;
    stage.head_for(Part::Others);
    stage.open(followers)?;
    let published: Vec<u32> = (0..publishers).collect();
    for follower in publishers..publishers + followers {
        stage.follow(follower as usize, &published);
        if follower % 500 == 0 {
            stage.prepared()?;
        }
    }
    published.iter().for_each(|&user| stage.publish(user));
    stage.prepared()
}

pub fn run(kind: Kind, shape: Shape, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let stage = set_up(kind, shape, arguments, if kind == Kind::Floor { "floor" } else { "fanout" })?;
    publish("fanout", stage, shape, arguments)
}

/// Publishes one update after the other and says what that took.
pub fn publish(
    scenario: &'static str,
    mut stage: Stage,
    shape: Shape,
    arguments: &Arguments,
) -> anyhow::Result<Outcome> {
    let rounds = shape.rounds(arguments);
    stage.say("publishing");
    stage.measure();
    for _ in 0..rounds {
        for user in 0..shape.publishers {
            stage.publish(user);
            if !stage.settle()? {
                break;
            }
        }
    }
    let parameters = vec![
        ("publishers", shape.publishers.to_string()),
        ("followers", shape.followers.to_string()),
        ("updates", (rounds * shape.publishers).to_string()),
    ];
    let mut outcome = stage.outcome(scenario, parameters, Vec::new());
    unharmed(&mut outcome);
    if shape.followers >= 15_000 {
        #[expect(clippy::cast_precision_loss, reason = "below a minute")]
        let p99 = outcome.latency.value_at_quantile(0.99) as f64 / 1000.0;
        outcome.checks.push(at_most("p99 from update to arrival", p99, 350.0, "ms"));
    }
    Ok(outcome)
}
