//! Failovers with Sentinel and Redis Cluster.

use std::time::Duration;

use super::grid::RedisCluster;
use super::server::RedisServer;
use super::trouble::Town;
use super::world::eventually;

/// A master, a synchronised replica, and a sentinel.
struct Watched {
    master: RedisServer,
    replica: RedisServer,
    sentinel: RedisServer,
}

impl Watched {
    /// Starts all. The sentinel replaces the master after `patience` milliseconds without it.
    async fn start(patience: u32) -> Self {
        let master = RedisServer::start();
        let replica = RedisServer::with(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
        let linked = || replica.command::<String>(&["INFO", "replication"]).contains("master_link_status:up");
        eventually("the replica has caught up", linked).await;
        let sentinel = master.sentinel(patience);
        let knows = || sentinel.command::<Vec<redis::Value>>(&["SENTINEL", "REPLICAS", "main"]).len() == 1;
        eventually("the sentinel knows the replica", knows).await;
        Self { master, replica, sentinel }
    }

    fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/main", self.sentinel.port)
    }

    async fn replica_leads(&self) {
        let role = || self.replica.command::<String>(&["INFO", "replication"]).contains("role:master");
        eventually("the replica is promoted", role).await;
    }
}

#[tokio::test]
async fn a_killed_master_is_replaced_by_sentinel() {
    let mut watched = Watched::start(500).await;
    let town = Town::new(&watched.url()).await;
    watched.master.kill();
    town.announces("meanwhile");
    watched.replica_leads().await;
    town.sees("meanwhile").await;
    town.changes("afterwards").await;
}

#[tokio::test]
async fn a_master_that_becomes_a_replica_is_left() {
    // The sentinel acts on command only.
    let watched = Watched::start(30_000).await;
    let town = Town::new(&watched.url()).await;
    let () = watched.sentinel.command(&["SENTINEL", "FAILOVER", "main"]);
    town.announces("meanwhile");
    watched.replica_leads().await;
    town.sees("meanwhile").await;
    town.changes("afterwards").await;
}

#[tokio::test]
async fn users_are_spread_over_the_masters_of_a_cluster() {
    let cluster = RedisCluster::start(3, 0);
    let town = Town::new(&cluster.url()).await;
    let keys = |index: usize| cluster.servers[index].command::<Vec<String>>(&["KEYS", "*:u:*"]).len();
    let spread = [keys(0), keys(1), keys(2)];
    assert!(spread.iter().sum::<usize>() == town.users.len() && spread.iter().all(|&count| count > 5), "{spread:?}");
    let nodes = town.one.backplane.nodes().await.unwrap();
    assert_eq!(nodes.len(), 2);
}

#[tokio::test]
async fn moved_slots_are_followed() {
    let cluster = RedisCluster::start(3, 0);
    let town = Town::new(&cluster.url()).await;
    let slots = cluster.used_slots(0);
    assert!(slots.len() > 5, "{slots:?}");
    for (number, &slot) in slots.iter().enumerate() {
        town.announces(&format!("move {number}"));
        cluster.migrate(slot, 0, 1);
    }
    town.changes("afterwards").await;
    assert!(town.is_unbroken());
}

#[tokio::test]
async fn a_cluster_replaces_a_killed_master() {
    let mut cluster = RedisCluster::start(3, 1);
    let town = Town::new(&cluster.url()).await;
    cluster.servers[0].kill();
    town.announces("meanwhile");
    let role = || cluster.servers[3].command::<String>(&["INFO", "replication"]).contains("role:master");
    eventually("the replica is promoted", role).await;
    town.sees("meanwhile").await;
    town.changes("afterwards").await;
}

#[tokio::test]
async fn a_graceful_failover_in_a_cluster_is_followed() {
    let cluster = RedisCluster::start(3, 1);
    let town = Town::new(&cluster.url()).await;
    for (leads, _follows) in [(3, 0), (0, 3), (3, 0)] {
        town.announces(&format!("{leads}"));
        // The servers abort the failover if it takes too long.
        let leads_at_last = || {
            let server = &cluster.servers[leads];
            let role = server.command::<String>(&["INFO", "replication"]);
            if role.contains("role:slave") {
                // The server refuses if it has become the master in the meantime.
                let _begun = redis::cmd("CLUSTER").arg("FAILOVER").query::<()>(&mut server.connection());
            }
            role.contains("role:master")
        };
        eventually("it leads", leads_at_last).await;
        town.sees(&format!("{leads}")).await;
    }
}

#[tokio::test]
async fn a_cluster_without_one_of_its_masters_serves_the_rest() {
    let mut cluster = RedisCluster::start(3, 0);
    let town = Town::new(&cluster.url()).await;
    // Not the master with the keys of the nodes.
    let slot: u16 = cluster.servers[0].command(&["CLUSTER", "KEYSLOT", "{n}"]);
    let gone = if usize::from(slot) < 16_384 / 3 { 1 } else { 0 };
    let keys: Vec<String> = cluster.servers[gone].command(&["KEYS", "*:u:*"]);
    cluster.servers[gone].kill();
    town.announces("meanwhile");
    for &user in &town.users {
        if !keys.iter().any(|key| key.ends_with(&user.uuid().simple().to_string())) {
            town.two.sees(user, &["meanwhile on one"]).await;
        }
    }
    cluster.servers[gone].start_again();
    // It comes back without its data, but with its own id: its folder has the ids of all servers.
    tokio::time::timeout(Duration::from_secs(30), town.sees("meanwhile")).await.unwrap();
}
