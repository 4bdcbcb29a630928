//! What a second's worth of ticks costs: `cargo bench --bench ticks`.
//!
//! A hundred thousand users are noted and committed at once, as when everybody comes back; with the default interval of
//! 27 seconds, that many users online at once are 3,700 ticks a second.

#![allow(clippy::unwrap_used, reason = "a benchmark that does not find what it expects fails")]
#![allow(missing_docs, reason = "the names of the functions are what is shown")]

use std::time::Duration;

use divan::Bencher;
use divan::counter::ItemsCount;
use hereabouts::clock::Clock;
use hereabouts::metrics::Metrics;
use hereabouts::presence::id::UserId;
use hereabouts::presence::seen::Sighting;
use hereabouts::presence::time::Timestamp;
use hereabouts::store::disk::DiskStore;
use hereabouts::store::seen::SeenStore;
use hereabouts::store::seen::disk::DiskSeen;
use uuid::Uuid;

const SIZES: [u64; 3] = [100, 3_700, 100_000];

fn main() {
    divan::main();
}

/// A store on disk with these users in it.
struct Bed {
    seen: DiskSeen,
    _accounts: DiskStore,
    _folder: tempfile::TempDir,
    metrics: Metrics,
}

fn user(number: u64) -> UserId {
    // Spread like real ids.
    UserId::from_uuid(Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_be_bytes()))
}

impl Bed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let metrics = Metrics::new();
        let accounts = DiskStore::open(folder.path()).unwrap();
        let seen = accounts.seen(Duration::from_secs(31 * 24 * 3600), &Clock::system(), &metrics).unwrap();
        Self { seen, _accounts: accounts, _folder: folder, metrics }
    }

    fn note(&self, users: &[UserId], second: u64) {
        let sighting = Sighting::online(Timestamp::from_secs(second));
        self.seen.note(&mut users.iter().map(|&user| (user, sighting.clone()))).unwrap();
    }

    /// Waits until what has been noted is on disk.
    fn commit(&self) {
        runtime().block_on(self.seen.forget(vec![])).unwrap();
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

/// Takes ticks in: on the shard's thread.
#[divan::bench(args = SIZES)]
fn note(bencher: Bencher, count: u64) {
    let bed = Bed::new();
    let users: Vec<UserId> = (0..count).map(user).collect();
    let second = std::cell::Cell::new(1_795_220_273);
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        second.set(second.get() + 27);
        bed.note(&users, second.get());
    });
}

/// Notes and commits users that are on disk already, among a million others.
#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn note_and_commit(bencher: Bencher, count: u64) {
    let bed = Bed::new();
    let crowd: Vec<UserId> = (0..1_000_000).map(user).collect();
    for part in crowd.chunks(100_000) {
        bed.note(part, 1_795_220_273);
        bed.commit();
    }
    let users = &crowd[..usize::try_from(count).unwrap()];
    let second = std::cell::Cell::new(1_795_220_273);
    let before = bed.metrics.seen().commits.get();
    let runs = std::cell::Cell::new(0);
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        second.set(second.get() + 27);
        runs.set(runs.get() + 1);
        bed.note(users, second.get());
        bed.commit();
    });
    // One each, but for a commit that was due by time between a note and its wait.
    assert!(bed.metrics.seen().commits.get() - before <= 2 * runs.get() + 2);
}

/// Reads what the server API asks for at most.
#[divan::bench(args = [1, 1000])]
fn read(bencher: Bencher, count: u64) {
    let bed = Bed::new();
    let users: Vec<UserId> = (0..100_000).map(user).collect();
    bed.note(&users, 1_795_220_273);
    bed.commit();
    let asked = users[..usize::try_from(count).unwrap()].to_vec();
    let runtime = runtime();
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| runtime.block_on(async { bed.seen.read(asked.clone()).await.unwrap() }));
}
