//! `hereabouts-load`, the load generator: `cargo run --release -p hereabouts-load -- --help`.
//!
//! Speaks the public WebSocket API only and links nothing of the server. [`scenario`] holds what a run does. A
//! [`harness`] carries it out: it joins [`servers`], the [`clients`] and the [`tracker`], which knows what each client
//! must still receive. [`bystander`] measures what others notice of a load, [`attackers`] are hostile. [`process`] starts and measures one server, [`server_binary`] finds its executable, and
//! [`floor`] is the bare server for comparison. [`outcome`] holds the results, [`report`] shows them.

mod arguments;
mod attackers;
mod bystander;
mod clients;
mod clock;
mod floor;
mod harness;
mod outcome;
mod process;
mod report;
mod scenario;
mod server_binary;
mod servers;
mod tracker;
mod wire;

use clap::Parser as _;

use arguments::Arguments;
use outcome::Run;

/// Runs the program.
///
/// # Errors
///
/// When a scenario cannot run, or when it lost a state or a connection.
pub fn run() -> anyhow::Result<()> {
    let mut arguments = Arguments::parse();
    rlimit::increase_nofile_limit(u64::MAX)?;
    if arguments.floor_server {
        return floor::serve();
    }
    arguments.server = match arguments.server {
        // The server has another working folder.
        Some(path) => Some(std::path::absolute(path)?),
        None if arguments.starts_server() => Some(server_binary::find()?),
        None => None,
    };
    clock::micros();
    let mut outcomes = Vec::new();
    if arguments.all {
        outcomes.extend(scenario::run_all(&arguments)?);
    } else {
        for &scenario in &arguments.scenarios {
            outcomes.extend(scenario::run(scenario, &arguments)?);
        }
    }
    let run = Run::of(outcomes)?;
    report::table::print(&run)?;
    if let Some(path) = &arguments.json {
        report::json::write(&run, path)?;
    }
    if let Some(path) = &arguments.report {
        report::html::write(&run, path)?;
    }
    let failed: Vec<&str> = run.with_losses().map(|outcome| outcome.scenario).collect();
    anyhow::ensure!(failed.is_empty(), "states were lost or connections were dropped: {}", failed.join(", "));
    Ok(())
}
