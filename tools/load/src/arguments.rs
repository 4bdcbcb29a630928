//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

const EXAMPLES: &str = "\
Examples:
  hereabouts-load fanout                               1 publisher, 1,000 followers
  hereabouts-load fanout --followers 15000             the same with other sizes
  hereabouts-load --all --report load.html             every scenario, and a page with plots
  hereabouts-load --quick fanout mesh herd             a check that takes seconds; the figures mean nothing
  hereabouts-load idle --address 127.0.0.1:7350 --pid 4711
                                                       a server that runs already

The server under load is, in this order:
  1. the one that listens at --address;
  2. the executable that --server names;
  3. under `cargo run`: the release build, which cargo brings up to date first;
  4. `hereabouts` in the folder of this program, or else on the PATH.
Every scenario starts a new server on a free port of 127.0.0.1, with a temporary working folder, and stops it. The
server takes over the environment, so HEREABOUTS_* variables configure it. The scenarios with several nodes also start
`redis-server`, which must be on the PATH.

The exit code is 1 if a state was lost or a connection was dropped. A limit that does not hold is only reported.
Linux only: CPU time and memory come from /proc.";

/// Loads a presence server over its public WebSocket API and measures what that costs the server.
///
/// Opens many clients that speak Nakama's status protocol, checks that every follower ends at the latest state of every
/// user, and reports deliveries, latency, CPU time and memory. Several scenarios first run the floor, a bare server
/// that only writes frames: compare with its figures of the same run, because they follow the speed of the machine.
#[derive(Debug, Parser)]
#[command(name = "hereabouts-load", version, after_help = EXAMPLES)]
pub struct Arguments {
    /// The scenarios to run, in this order.
    #[arg(value_enum, value_name = "SCENARIO", required_unless_present_any = ["all", "floor_server"])]
    pub scenarios: Vec<Scenario>,
    /// Run every scenario of one node, in the sizes of docs/performance.md.
    #[arg(long, conflicts_with = "scenarios")]
    pub all: bool,
    /// Use very small sizes, to check that everything works. The figures mean nothing.
    #[arg(long)]
    pub quick: bool,
    /// The server's executable.
    #[arg(long, value_name = "PATH")]
    pub server: Option<PathBuf>,
    /// Load the server that listens here. The scenarios with several nodes still start their own.
    #[arg(long, value_name = "ADDRESS")]
    pub address: Option<SocketAddr>,
    /// Process id of that server, to measure its CPU time and memory.
    #[arg(long, requires = "address")]
    pub pid: Option<u32>,
    /// The key that signs session tokens.
    #[arg(long, value_name = "KEY", default_value = "defaultencryptionkey")]
    pub encryption_key: String,
    /// Do not run the floor before the scenarios.
    #[arg(long)]
    pub without_floor: bool,
    /// Number of connections (idle), users (mesh), clients (herd), logins (churn) or attackers (attack).
    #[arg(long, value_name = "N", help_heading = "Sizes")]
    pub users: Option<u32>,
    /// Number of users that publish (fanout, stall, overload, nodes-latency).
    #[arg(long, value_name = "N", help_heading = "Sizes")]
    pub publishers: Option<u32>,
    /// Number of users that follow every publisher.
    #[arg(long, value_name = "N", help_heading = "Sizes")]
    pub followers: Option<u32>,
    /// Number of users that each client follows (mesh, herd, nodes-latency).
    #[arg(long, value_name = "N", help_heading = "Sizes")]
    pub follows: Option<u32>,
    /// Number of updates of each publisher (fanout, mesh).
    #[arg(long, alias = "rounds", value_name = "N", help_heading = "Sizes")]
    pub updates: Option<u32>,
    /// Updates per second of each publisher (stall, overload, nodes-latency).
    #[arg(long, value_name = "HZ", help_heading = "Sizes")]
    pub rate: Option<u32>,
    /// Seconds to hold (idle), to stall (stall) or to publish (overload, fairness, nodes-latency, attack).
    #[arg(long, value_name = "S", help_heading = "Sizes")]
    pub seconds: Option<u32>,
    /// Write the results as JSON.
    #[arg(long, value_name = "FILE", help_heading = "Reports")]
    pub json: Option<PathBuf>,
    /// Write the results as one self-contained HTML page with plots.
    #[arg(long, value_name = "FILE.html", help_heading = "Reports")]
    pub report: Option<PathBuf>,
    /// Be the floor: the generator starts itself with this flag.
    #[arg(long, hide = true)]
    pub floor_server: bool,
}

impl Arguments {
    /// Whether the run starts a server of its own.
    pub fn starts_server(&self) -> bool {
        let loads_server = |scenario: &Scenario| match scenario {
            Scenario::Floor => false,
            Scenario::NodesLatency | Scenario::NodesFanout | Scenario::NodesHerd => true,
            Scenario::Idle
            | Scenario::Fanout
            | Scenario::Mesh
            | Scenario::Herd
            | Scenario::Churn
            | Scenario::Stall
            | Scenario::Overload
            | Scenario::Fairness
            | Scenario::Growth
            | Scenario::Attack => self.address.is_none(),
        };
        self.all && self.address.is_none() || self.scenarios.iter().any(loads_server)
    }

    /// Returns a default size, or its small substitute in a quick run.
    pub fn scaled(&self, full: u32) -> u32 {
        if self.quick { full.div_ceil(50).clamp(2, 200) } else { full }
    }

    /// Returns a default duration in seconds, or its short substitute in a quick run.
    pub fn scaled_seconds(&self, full: u32) -> u32 {
        if self.quick { full.min(2) } else { full }
    }
}

/// A scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// The bare server alone: what one `write` per delivery costs on this machine.
    Floor,
    /// Connections that do nothing: memory and CPU time of each.
    Idle,
    /// Few users publish, many follow all of them.
    Fanout,
    /// Each user in a ring follows the next ones and publishes in bursts.
    Mesh,
    /// All clients connect at once, set a status and follow others.
    Herd,
    /// Users log in and disconnect while others follow them.
    Churn,
    /// Some followers stop reading for a while.
    Stall,
    /// More updates than the machine can deliver.
    Overload,
    /// Two unrelated users next to a large fan-out.
    Fairness,
    /// The cost of a delivery and of a follow at growing numbers.
    Growth,
    /// Hostile clients of every kind, and what two unrelated users notice.
    Attack,
    /// Three nodes and a Redis: latency from a user on one node to followers on the others.
    NodesLatency,
    /// Three nodes and a Redis: one user on one node, many followers on the others; compared with one node.
    NodesFanout,
    /// Three nodes and a Redis: all clients connect at once.
    NodesHerd,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn parse(line: &str) -> Arguments {
        Arguments::try_parse_from(line.split(' ')).unwrap()
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_server_is_needed_unless_one_runs_already() {
        assert!(parse("hereabouts-load mesh").starts_server());
        assert!(parse("hereabouts-load --all").starts_server());
        assert!(!parse("hereabouts-load floor").starts_server());
        assert!(!parse("hereabouts-load mesh --address 127.0.0.1:7350").starts_server());
        assert!(!parse("hereabouts-load --all --address 127.0.0.1:7350").starts_server());
        assert!(parse("hereabouts-load mesh nodes-herd --address 127.0.0.1:7350").starts_server());
    }
}
