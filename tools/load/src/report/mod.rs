//! Shows a [`Run`](crate::outcome::Run): [`table`] to the terminal, [`json`] to programs, [`html`] to people. They say
//! the same numbers, written by [`numbers`].

pub mod html;
pub mod json;
mod numbers;
pub mod table;

use crate::outcome::Outcome;

/// What a scenario does, for those who read its numbers; `None` for one that this list does not know.
fn about(scenario: &str) -> Option<&'static str> {
    Some(match scenario {
        "floor" => {
            "The yardstick: a bare server that writes each ready-made frame once per follower, and does nothing else."
        }
        "idle" => "Users that connect and hold still: what a connection costs in memory and in CPU.",
        "fanout" => "A few users change their status, and many follow all of them.",
        "mesh" => "Users in a ring, each following its neighbours, all changing their status in bursts.",
        "herd" => "Everybody comes back at once, sets a status and follows friends, until all are settled.",
        "churn" => "Users appear and vanish under the eyes of their followers.",
        "stall" => "Some followers stop reading for a while, then read on: all must end at the latest state.",
        "overload" => {
            "More updates than the machine can deliver: it has to skip to the latest state and stay answerable."
        }
        "fairness" => "Two bystanders talk while one user's updates go to thousands of followers.",
        "growth" => "The same work at growing sizes: the cost of one delivery, one follow and one connection.",
        "nodes-latency" => "Three nodes on one Redis: statuses on their way to followers on other nodes.",
        "nodes-fanout" => {
            "A user's updates at one node go to many followers at two others; and the same with one node."
        }
        "nodes-herd" => {
            "Everybody comes to three nodes at once, sets a status and follows friends, until all are settled."
        }
        _ => return None,
    })
}

/// The shape in one line: `publishers 1 · followers 15,000`.
fn shape(outcome: &Outcome) -> String {
    let parts = outcome.parameters.iter().map(|(name, value)| format!("{name} {}", numbers::parameter(value)));
    parts.collect::<Vec<_>>().join(" · ")
}
