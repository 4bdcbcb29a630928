//! Reports of a [`Run`](crate::outcome::Run): [`table`] for the terminal, [`json`] for programs, [`html`] for people. All
//! contain the same numbers, which [`numbers`] formats.

pub mod html;
pub mod json;
mod numbers;
pub mod table;

use crate::outcome::Outcome;

/// Describes a scenario for readers of its numbers. `None` for a name that is not in this list.
fn describe(scenario: &str) -> Option<&'static str> {
    Some(match scenario {
        "floor" => {
            "For comparison: a bare server that writes each encoded frame once per follower, and does nothing else."
        }
        "idle" => "Users that connect and then do nothing: what a connection costs in memory and in CPU time.",
        "fanout" => "A few users change their status, and many follow all of them.",
        "mesh" => "Users in a ring: each follows the next ones, and all change their status in bursts.",
        "herd" => "All clients connect at once, set a status and follow others, until every follower is up to date.",
        "churn" => "Users log in and disconnect while others follow them.",
        "stall" => "Some followers stop reading for a while: all must end at the latest state.",
        "overload" => {
            "More updates than the machine can deliver: the server must skip to the latest state and keep answering."
        }
        "fairness" => "One user follows another while updates of a third go to thousands of followers.",
        "growth" => "The same work at growing sizes: the cost of one delivery, one follow and one connection.",
        "nodes-latency" => "Three nodes and one Redis: statuses that go to followers on other nodes.",
        "nodes-fanout" => "Updates of a user on one node go to many followers on two others; compared with one node.",
        "nodes-herd" => {
            "All clients connect to three nodes at once, set a status and follow others, until every follower is up to date."
        }
        _ => return None,
    })
}

/// Returns the sizes on one line: `publishers 1 · followers 15,000`.
fn shape(outcome: &Outcome) -> String {
    let parts = outcome.parameters.iter().map(|(name, value)| format!("{name} {}", numbers::parameter(value)));
    parts.collect::<Vec<_>>().join(" · ")
}
