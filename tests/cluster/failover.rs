//! Sentinel and Redis Cluster: masters that change.

use std::time::Duration;

use super::server::RedisServer;
use super::trouble::Town;
use super::world::eventually;

/// A master, a replica that has caught up, and a sentinel.
struct Watched {
    master: RedisServer,
    replica: RedisServer,
    sentinel: RedisServer,
}

impl Watched {
    async fn start() -> Self {
        let master = RedisServer::start();
        let replica = RedisServer::with(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
        let linked = || replica.command::<String>(&["INFO", "replication"]).contains("master_link_status:up");
        eventually("the replica has caught up", linked).await;
        let sentinel = master.sentinel(500);
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
    let mut watched = Watched::start().await;
    let town = Town::new(&watched.url()).await;
    watched.master.kill();
    town.announces("meanwhile");
    watched.replica_leads().await;
    town.sees("meanwhile").await;
    town.changes("afterwards").await;
}

#[tokio::test]
async fn a_master_that_steps_down_and_lives_on_as_a_replica_is_left() {
    let watched = Watched::start().await;
    let town = Town::new(&watched.url()).await;
    let () = watched.sentinel.command(&["SENTINEL", "FAILOVER", "main"]);
    town.announces("meanwhile");
    watched.replica_leads().await;
    town.sees("meanwhile").await;
    town.changes("afterwards").await;
}

/// A Redis Cluster on loopback.
pub struct RedisCluster {
    pub servers: Vec<RedisServer>,
}

impl RedisCluster {
    /// Masters with equal ranges of slots, and as many replicas of them as given.
    pub async fn start(masters: usize, replicas: usize) -> Self {
        let arguments =
            ["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no"];
        let servers: Vec<RedisServer> = (0..masters + replicas).map(|_| RedisServer::with(&arguments)).collect();
        let share = 16_384 / masters;
        for (index, server) in servers.iter().enumerate() {
            if index < masters {
                let last = if index + 1 == masters { 16_383 } else { (index + 1) * share - 1 };
                let range = [(index * share).to_string(), last.to_string()];
                let () = server.command(&["CLUSTER", "ADDSLOTSRANGE", &range[0], &range[1]]);
            }
            let () = server.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(index + 1).to_string()]);
            let () = servers[0].command(&["CLUSTER", "MEET", "127.0.0.1", &server.port.to_string()]);
        }
        let cluster = Self { servers };
        let all = || cluster.servers.iter().all(|server| cluster.nodes_known_by(server) == masters + replicas);
        eventually("they have met", all).await;
        for index in 0..replicas {
            let id: String = cluster.servers[index].command(&["CLUSTER", "MYID"]);
            let replica = &cluster.servers[masters + index];
            let () = replica.command(&["CLUSTER", "REPLICATE", &id]);
            let linked = || replica.command::<String>(&["INFO", "replication"]).contains("master_link_status:up");
            eventually("a replica has caught up", linked).await;
        }
        let ready = || {
            cluster
                .servers
                .iter()
                .all(|server| server.command::<String>(&["CLUSTER", "INFO"]).contains("cluster_state:ok"))
        };
        eventually("the cluster is whole", ready).await;
        cluster
    }

    fn nodes_known_by(&self, server: &RedisServer) -> usize {
        let nodes: String = server.command(&["CLUSTER", "NODES"]);
        nodes.lines().filter(|line| line.contains(" connected")).count()
    }

    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.servers.iter().map(|server| format!("127.0.0.1:{}", server.port)).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    fn id(&self, index: usize) -> String {
        self.servers[index].command(&["CLUSTER", "MYID"])
    }

    /// Moves a slot and what is in it.
    pub fn migrate(&self, slot: u16, from: usize, to: usize) {
        self.begin_migration(slot, from, to);
        self.end_migration(slot, from, to);
    }

    /// Moves what is in a slot, which stays the first master's.
    pub fn begin_migration(&self, slot: u16, from: usize, to: usize) {
        let (slot, ids) = (slot.to_string(), [self.id(from), self.id(to)]);
        let () = self.servers[to].command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &ids[0]]);
        let () = self.servers[from].command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &ids[1]]);
        loop {
            let keys: Vec<String> = self.servers[from].command(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
            if keys.is_empty() {
                break;
            }
            for key in keys {
                let port = self.servers[to].port.to_string();
                let _moved: String = self.servers[from].command(&["MIGRATE", "127.0.0.1", &port, &key, "0", "5000"]);
            }
        }
    }

    /// Has everybody know that the slot has moved.
    pub fn end_migration(&self, slot: u16, from: usize, to: usize) {
        let (slot, id) = (slot.to_string(), self.id(to));
        for server in [to, from] {
            let () = self.servers[server].command(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]);
        }
    }

    /// The slots of the users' keys that a master has.
    fn used_slots(&self, index: usize) -> Vec<u16> {
        let keys: Vec<String> = self.servers[index].command(&["KEYS", "*:g"]);
        let slot = |key: &String| self.servers[index].command::<u16>(&["CLUSTER", "KEYSLOT", key]);
        keys.iter().map(slot).collect()
    }
}

#[tokio::test]
async fn users_are_spread_over_the_masters_of_a_cluster() {
    let cluster = RedisCluster::start(3, 0).await;
    let town = Town::new(&cluster.url()).await;
    let keys = |index: usize| cluster.servers[index].command::<Vec<String>>(&["KEYS", "*:u:*"]).len();
    let spread = [keys(0), keys(1), keys(2)];
    assert!(spread.iter().sum::<usize>() == town.users.len() && spread.iter().all(|&count| count > 5), "{spread:?}");
    let nodes = town.one.backplane.nodes().await.unwrap();
    assert_eq!(nodes.len(), 2);
}

#[tokio::test]
async fn slots_that_move_between_masters_are_followed() {
    let cluster = RedisCluster::start(3, 0).await;
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
    let mut cluster = RedisCluster::start(3, 1).await;
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
    let cluster = RedisCluster::start(3, 1).await;
    let town = Town::new(&cluster.url()).await;
    for (leads, _follows) in [(3, 0), (0, 3), (3, 0)] {
        town.announces(&format!("{leads}"));
        // Given up by the servers themselves where it takes them too long.
        let leads_at_last = || {
            let server = &cluster.servers[leads];
            let role = server.command::<String>(&["INFO", "replication"]);
            if role.contains("role:slave") {
                // Refused where it has begun to lead meanwhile.
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
    let mut cluster = RedisCluster::start(3, 0).await;
    let town = Town::new(&cluster.url()).await;
    // Not the one with the nodes' own keys.
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
    // It comes back without its data, under its own name: its folder has the names of all.
    tokio::time::timeout(Duration::from_secs(30), town.sees("meanwhile")).await.unwrap();
}
