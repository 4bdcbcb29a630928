//! Micro-benchmarks of the work for every update and every request: `cargo bench --bench micro [-- FILTER]`.
//!
//! * [`presence`]: the state machine of one user; [`outbox`]: a change on its way to its followers;
//! * [`nakama`], [`centrifugo`], [`tencent`]: encoding and decoding of one dialect each;
//! * [`samples`], [`message`]: the shared test data.
//!
//! The output contains times and allocations. Unlike the times, the allocations are the same on every machine and in every
//! run.

mod centrifugo;
mod message;
mod nakama;
mod outbox;
mod presence;
mod samples;
mod tencent;

use divan::AllocProfiler;

/// The server's own allocator, with counters.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: AllocProfiler<tikv_jemallocator::Jemalloc> = AllocProfiler::new(tikv_jemallocator::Jemalloc);

/// The system's allocator, with counters.
#[cfg(not(feature = "jemalloc"))]
#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}
