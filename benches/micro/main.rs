//! Micro-benchmarks of what every update and every request costs: `cargo bench --bench micro [-- FILTER]`.
//!
//! * [`presence`]: one user's machine; [`outbox`]: a change on its way to its followers;
//! * [`nakama`], [`centrifugo`], [`tencent`]: their formats, written and read; another dialect is another file;
//! * [`samples`], [`message`]: what all of them work with.
//!
//! Beside the times stands what is allocated: unlike the times it is the same on every machine and in every run.

mod centrifugo;
mod message;
mod nakama;
mod outbox;
mod presence;
mod samples;
mod tencent;

use divan::AllocProfiler;

/// The server's own allocator, counted.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: AllocProfiler<tikv_jemallocator::Jemalloc> = AllocProfiler::new(tikv_jemallocator::Jemalloc);

/// The system's allocator, counted.
#[cfg(not(feature = "jemalloc"))]
#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}
