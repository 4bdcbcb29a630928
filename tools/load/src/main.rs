//! The load generator: `cargo run --release -p hereabouts-load -- SCENARIO`.
//!
//! Speaks the public wire only and links nothing of the server. [`scenario`] says what is done, [`stage`] carries it
//! out with a [`crowd`] of clients and a [`ledger`] of what they are owed, [`process`] starts and measures a server,
//! [`servers`] is one or several nodes with their Redis, [`floor`] is the bare one beside it, [`outcome`] is what was found and [`report`] shows it.

mod arguments;
mod clock;
mod crowd;
mod floor;
mod ledger;
mod outcome;
mod process;
mod report;
mod scenario;
mod server_binary;
mod servers;
mod stage;
mod wire;

use clap::Parser as _;

use arguments::Arguments;
use outcome::Run;

fn main() -> anyhow::Result<()> {
    let mut arguments = Arguments::parse();
    rlimit::increase_nofile_limit(u64::MAX)?;
    if arguments.floor_server {
        return floor::serve();
    }
    if arguments.server.is_none() && arguments.starts_server() {
        arguments.server = Some(server_binary::find()?);
    }
    clock::micros();
    let mut outcomes = Vec::new();
    if arguments.all {
        scenario::run_all(&arguments, |more| {
            outcomes.extend(more);
            Ok(())
        })?;
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
    let harmed: Vec<&str> = run.harmed().map(|outcome| outcome.scenario).collect();
    anyhow::ensure!(harmed.is_empty(), "states were lost or connections dropped: {}", harmed.join(", "));
    Ok(())
}
