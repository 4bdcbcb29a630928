//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Loads a presence server over its public wire and shows what it takes.
///
/// Starts the release server by itself on a free loopback port; every scenario gets a fresh one.
#[derive(Debug, Parser)]
#[command(name = "load", bin_name = "cargo bench --bench load --")]
pub struct Arguments {
    /// What to run, in order.
    #[arg(value_enum, required_unless_present_any = ["all", "floor_server"])]
    pub scenarios: Vec<Scenario>,
    /// Run everything that docs/performance.md shows.
    #[arg(long)]
    pub all: bool,
    /// Sizes small enough for a check that the tool works; the figures mean nothing then.
    #[arg(long)]
    pub quick: bool,
    /// Load the server that listens here instead of starting one.
    #[arg(long, value_name = "ADDRESS")]
    pub address: Option<SocketAddr>,
    /// Its process, to read CPU and memory from.
    #[arg(long, requires = "address")]
    pub pid: Option<u32>,
    /// The key that signs its session tokens.
    #[arg(long, default_value = "defaultencryptionkey", hide_default_value = true)]
    pub encryption_key: String,
    /// Do not run the bare server beside each scenario.
    #[arg(long)]
    pub without_floor: bool,
    /// Connections (idle), users (mesh), clients (herd), logins (churn).
    #[arg(long, value_name = "N")]
    pub users: Option<u32>,
    /// Users who publish (fanout, stall, overload, nodes-latency).
    #[arg(long, value_name = "P")]
    pub publishers: Option<u32>,
    /// Users who follow all of them.
    #[arg(long, value_name = "F")]
    pub followers: Option<u32>,
    /// Whom each follows (mesh, herd, nodes-latency).
    #[arg(long, value_name = "D")]
    pub follows: Option<u32>,
    /// Updates of each publisher (fanout, mesh).
    #[arg(long, value_name = "R")]
    pub rounds: Option<u32>,
    /// Updates a second of each publisher (stall, overload, nodes-latency).
    #[arg(long, value_name = "HZ")]
    pub rate: Option<u32>,
    /// How long to hold (idle), to stall (stall), to overload (overload), to publish (nodes-latency).
    #[arg(long, value_name = "S")]
    pub seconds: Option<u32>,
    /// Write what was measured as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write one self-contained page with plots.
    #[arg(long, value_name = "FILE.html")]
    pub report: Option<PathBuf>,
    /// Be the bare server.
    #[arg(long, hide = true)]
    pub floor_server: bool,
    /// Said by `cargo bench`.
    #[arg(long, hide = true)]
    pub bench: bool,
}

/// What can be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// The bare server: what one `write` a delivery costs on this machine.
    Floor,
    /// Connections that do nothing: memory and CPU of each.
    Idle,
    /// Few publish, many follow all of them.
    Fanout,
    /// Everybody in a ring follows the next ones and publishes in bursts.
    Mesh,
    /// Everybody comes at once, shows a status and follows others.
    Herd,
    /// Users appear and vanish under the eyes of followers.
    Churn,
    /// Some followers stop reading for a while.
    Stall,
    /// More updates than the machine can deliver.
    Overload,
    /// An unrelated pair beside a large fan-out.
    Fairness,
    /// What a delivery and a follow cost as their number grows.
    Growth,
    /// Three nodes on a Redis: how long a status takes to followers on the other nodes.
    NodesLatency,
    /// One publishes at one node, many follow at the two others; beside the same on one node alone.
    NodesFanout,
    /// Everybody comes to three nodes at once.
    NodesHerd,
}
