//! The program `hereabouts`. `cli.rs` has its command line.

use std::process::ExitCode;

use clap::Parser as _;
use hereabouts::cli::{Arguments, run};

/// Returns memory to the system after many connections have closed, which the system's allocator does not.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Log levels unless `RUST_LOG` is set: `info` of the server itself, warnings of its dependencies.
const LOGGED: &str = "warn,hereabouts=info";

/// Where actix logs an error for each malformed request. The listener counts them, and logs one in ten seconds.
const MALFORMED: &str = "actix_http::h1::dispatcher";

fn main() -> ExitCode {
    env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(LOGGED))
        .filter_module(MALFORMED, log::LevelFilter::Off)
        .init();
    run(Arguments::parse(), std::env::vars().collect())
}
