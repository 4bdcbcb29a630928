//! The cost of one second of last-seen ticks: `cargo bench --bench ticks`.
//!
//! Records and commits up to 100,000 users at once, as when all users reconnect. With the default interval of 27 seconds,
//! 100,000 online users cause 3,700 ticks per second.

#![allow(clippy::unwrap_used, reason = "a benchmark that does not find what it expects fails")]
#![allow(missing_docs, reason = "the output shows the names of the functions")]

use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;
use hereabouts::clock::Clock;
use hereabouts::config::LossPolicy;
use hereabouts::metrics::Metrics;
use hereabouts::presence::id::UserId;
use hereabouts::presence::last_seen::Activity;
use hereabouts::presence::time::Timestamp;
use hereabouts::store::database::EmbeddedDatabase;
use hereabouts::store::last_seen::LastSeenStore;
use hereabouts::store::last_seen::disk::DiskLastSeen;
use uuid::Uuid;

const SIZES: [u64; 3] = [100, 3_700, 100_000];

fn main() {
    divan::main();
}

/// A store on disk.
struct Fixture {
    last_seen: DiskLastSeen,
    _folder: tempfile::TempDir,
    metrics: Metrics,
}

fn user(number: u64) -> UserId {
    // Uniformly distributed, like real ids.
    UserId::from_uuid(Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_be_bytes()))
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let metrics = Metrics::new();
        let database = EmbeddedDatabase::open(folder.path(), LossPolicy::Refuse, &Metrics::new()).unwrap();
        let last_seen = database.last_seen(Duration::from_secs(31 * 24 * 3600), &Clock::system(), &metrics).unwrap();
        Self { last_seen, _folder: folder, metrics }
    }

    fn record(&self, users: &[UserId], second: u64) {
        let activity = Activity::online(Timestamp::from_secs(second));
        self.last_seen.note(&mut users.iter().map(|&user| (user, activity.clone()))).unwrap();
    }

    /// Waits until everything that was recorded is on disk.
    fn commit(&self) {
        runtime().block_on(self.last_seen.forget(vec![])).unwrap();
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

/// Records ticks, which happens on the shard's thread.
#[divan::bench(args = SIZES)]
fn record(bencher: Bencher, count: u64) {
    let fixture = Fixture::new();
    let users: Vec<UserId> = (0..count).map(user).collect();
    let second = std::cell::Cell::new(1_795_220_273);
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        second.set(second.get() + 27);
        fixture.record(&users, second.get());
    });
}

/// Records and commits users that are on disk already, among a million others.
#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn record_and_commit(bencher: Bencher, count: u64) {
    let fixture = Fixture::new();
    let population: Vec<UserId> = (0..1_000_000).map(user).collect();
    for part in population.chunks(100_000) {
        fixture.record(part, 1_795_220_273);
        fixture.commit();
    }
    let users = &population[..usize::try_from(count).unwrap()];
    let second = std::cell::Cell::new(1_795_220_273);
    let before = fixture.metrics.last_seen().commits.get();
    let runs = std::cell::Cell::new(0);
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        second.set(second.get() + 27);
        runs.set(runs.get() + 1);
        fixture.record(users, second.get());
        fixture.commit();
    });
    // One commit per run, and one more where a timer fired between a record and its wait.
    assert!(fixture.metrics.last_seen().commits.get() - before <= 2 * runs.get() + 2);
}

/// Reads one user, and the maximum of one server-API request.
#[divan::bench(args = [1, 1000])]
fn read(bencher: Bencher, count: u64) {
    let fixture = Fixture::new();
    let users: Vec<UserId> = (0..100_000).map(user).collect();
    fixture.record(&users, 1_795_220_273);
    fixture.commit();
    let requested = users[..usize::try_from(count).unwrap()].to_vec();
    let runtime = runtime();
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| runtime.block_on(async { fixture.last_seen.read(requested.clone()).await.unwrap() }));
}
