//! What several nodes cost their Redis: `cargo bench --bench cluster`.
//!
//! Starts a `redis-server` and the backplanes of two nodes, repeats each kind of operation many times, and reads the
//! counters of Redis (`INFO commandstats`, `INFO cpu`, `INFO stats`). Prints per operation: commands (without those inside
//! scripts), reads from connections, time in commands, CPU time of the process, and bytes. [`server`] holds Redis,
//! [`stores`] the operations of the stores.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement that cannot be made ends")]

mod server;
mod stores;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use comfy_table::Table;
use hereabouts::clock::Clock;
use hereabouts::cluster::record::Record;
use hereabouts::cluster::redis::RedisBackplane;
use hereabouts::cluster::{Backplane, Listener, NodeCommand};
use hereabouts::config::{Overrides, load};
use hereabouts::metrics::Metrics;
use hereabouts::presence::general_status::Exit;
use hereabouts::presence::id::{ConnectionId, UserId, Username};
use hereabouts::presence::remote::RemoteConnection;
use hereabouts::presence::status::StatusText;
use server::{Server, Usage};

/// Number of users of one node.
const USERS: usize = 20_000;

/// Number of operations in a row, each of which waits for the one before.
const SEQUENTIAL: usize = 2_000;

/// Counts the changes that the backplane reports.
#[derive(Default)]
struct Counter(AtomicU64);

impl Listener for Counter {
    fn changed(&self, _: UserId) -> bool {
        self.0.fetch_add(1, Ordering::Relaxed);
        true
    }

    fn command_received(&self, _: UserId, _: NodeCommand) -> bool {
        true
    }

    fn lost(&self, _: UserId, _: Vec<RemoteConnection>) {}

    fn returned(&self, _: UserId, _: Vec<RemoteConnection>) {}

    fn missed(&self) {}
}

struct Node {
    backplane: RedisBackplane,
    metrics: Metrics,
}

impl Node {
    async fn start(server: &Server, name: &str) -> Self {
        let environment = [("HEREABOUTS_CLUSTER__REDIS".to_owned(), server.url())].into_iter().collect();
        let config = load(&Overrides::default(), environment).unwrap();
        let metrics = Metrics::new();
        let listener = Arc::<Counter>::default();
        let started = RedisBackplane::start(&config.cluster, name, &Clock::system(), &metrics, listener).await;
        Self { backplane: started.unwrap(), metrics }
    }

    /// Waits until the node has published `count` changes.
    async fn published(&self, count: u64) {
        while self.metrics.cluster().published.get() < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

fn record(user: UserId, text: &str) -> Record {
    let connection = RemoteConnection {
        id: ConnectionId::from_uuid(user.uuid()),
        shown_as: None,
        username: Some(Username::new("somebody").unwrap()),
        status: Some(StatusText::new(text).unwrap()),
        since: hereabouts::presence::time::Timestamp::default(),
        dialect: None,
        info: None,
    };
    Record { connections: vec![connection], ..Record::default() }
}

/// Measures `work`, which consists of `operations` operations, and adds a row.
async fn measure(table: &mut Table, server: &Server, name: &str, operations: usize, work: impl Future<Output = ()>) {
    let before = server.usage();
    work.await;
    let Usage { calls, reads, micros, cpu_micros, bytes_in, bytes_out } = server.usage().since(&before);
    let each = |total: f64| format!("{:.2}", total / operations as f64);
    let numbers = [calls, reads, micros, cpu_micros, bytes_in, bytes_out].map(each);
    table.add_row(std::iter::once(name.to_owned()).chain(numbers));
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let server = Server::start();
    let (one, two) = (Node::start(&server, "one").await, Node::start(&server, "two").await);
    let users: Vec<UserId> = (0..USERS).map(|_| UserId::random()).collect();
    let mut table = Table::new();
    table.set_header([
        "per",
        "commands",
        "reads",
        "µs in commands",
        "µs of Redis's CPU",
        "bytes to Redis",
        "bytes from Redis",
    ]);
    presences(&mut table, &server, &users, [&one, &two]).await;
    departures(&mut table, &server, &users, [&one, &two]).await;
    measure(&mut table, &server, "second of two idle nodes (256 ticks, a heartbeat)", 10, async {
        tokio::time::sleep(Duration::from_secs(10)).await;
    })
    .await;
    stores::measure_all(&mut table, &server).await;
    println!("{table}");
}

/// Measures logins, updates and follows: the users are on the first node, their followers on the second.
async fn presences(table: &mut Table, server: &Server, users: &[UserId], [one, two]: [&Node; 2]) {
    let announce = |text: &'static str| users.iter().for_each(|&user| one.backplane.announce(user, record(user, text)));
    measure(table, server, "login (first connection of a user)", USERS, async {
        announce("here");
        one.published(USERS as u64).await;
    })
    .await;
    measure(table, server, "update, many at a time", USERS, async {
        announce("away");
        one.published(USERS as u64 * 2).await;
    })
    .await;
    measure(table, server, "update, one at a time", SEQUENTIAL, async {
        for (done, &user) in users[..SEQUENTIAL].iter().enumerate() {
            one.backplane.announce(user, record(user, "busy"));
            one.published((USERS * 2 + done + 1) as u64).await;
        }
    })
    .await;
    measure(table, server, "follow (first of a user on the other node)", USERS, async {
        users.iter().for_each(|&user| two.backplane.watch(user));
        while users.iter().any(|&user| two.backplane.remote(user).is_none()) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
    measure(table, server, "read of a user that is not followed", 10_000, async {
        for some in users[..10_000].chunks(500) {
            one.backplane.query(some.to_vec()).await.unwrap();
        }
    })
    .await;
}

/// Measures ends: half of the users log out, half lose the connection.
async fn departures(table: &mut Table, server: &Server, users: &[UserId], [one, two]: [&Node; 2]) {
    let (leaving, broken) = users.split_at(USERS / 2);
    let before = one.metrics.cluster().published.get();
    measure(table, server, "leave (last connection)", leaving.len(), async {
        leaving.iter().for_each(|&user| one.backplane.withdraw(user, Exit::LoggedOut));
        one.published(before + leaving.len() as u64).await;
    })
    .await;
    let reaped = || one.metrics.cluster().reaped.get() + two.metrics.cluster().reaped.get();
    measure(table, server, "connection that broke, lingered for a second, removed", broken.len(), async {
        broken.iter().for_each(|&user| one.backplane.linger(user, Duration::from_secs(1)));
        while reaped() < broken.len() as u64 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
    .await;
}
