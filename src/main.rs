//! The `hereabouts` binary.

use std::process::ExitCode;

use clap::Parser as _;
use hereabouts::cli::{Arguments, run};

/// Gives memory back after a wave of connections, which the system's allocator does not.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What is logged unless `RUST_LOG` says otherwise: this server's own words, and the trouble of its parts.
const LOGGED: &str = "warn,hereabouts=info";

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(LOGGED)).init();
    run(Arguments::parse(), std::env::vars().collect())
}
