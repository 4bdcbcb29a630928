//! A Redis Cluster for one test.

use std::thread;
use std::time::Duration;

use super::server::RedisServer;

/// Checks every ten milliseconds, for a minute at most.
fn wait_until(what: &str, holds: impl Fn() -> bool) {
    let came = (0..6000).any(|_| {
        let came = holds();
        if !came {
            thread::sleep(Duration::from_millis(10));
        }
        came
    });
    assert!(came, "never: {what}");
}

/// A Redis Cluster on loopback.
pub struct RedisCluster {
    pub servers: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts masters with equal ranges of slots, and their replicas.
    pub fn start(masters: usize, replicas: usize) -> Self {
        // Without replicas, a pause of the machine must not look like the end of a master.
        let patience = if replicas > 0 { "1000" } else { "6000" };
        let arguments =
            ["--cluster-enabled", "yes", "--cluster-node-timeout", patience, "--cluster-require-full-coverage", "no"];
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
        wait_until("they have met", all);
        for index in 0..replicas {
            let id: String = cluster.servers[index].command(&["CLUSTER", "MYID"]);
            let replica = &cluster.servers[masters + index];
            let () = replica.command(&["CLUSTER", "REPLICATE", &id]);
            let linked = || replica.command::<String>(&["INFO", "replication"]).contains("master_link_status:up");
            wait_until("a replica has caught up", linked);
        }
        let ready = || {
            cluster
                .servers
                .iter()
                .all(|server| server.command::<String>(&["CLUSTER", "INFO"]).contains("cluster_state:ok"))
        };
        wait_until("the cluster is whole", ready);
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

    /// Moves a slot with its keys.
    pub fn migrate(&self, slot: u16, from: usize, to: usize) {
        self.begin_migration(slot, from, to);
        self.end_migration(slot, from, to);
    }

    /// Moves the keys of a slot, which stays with the first master.
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

    /// Tells every server that the slot has moved.
    pub fn end_migration(&self, slot: u16, from: usize, to: usize) {
        let (slot, id) = (slot.to_string(), self.id(to));
        for server in [to, from] {
            let () = self.servers[server].command(&["CLUSTER", "SETSLOT", &slot, "NODE", &id]);
        }
    }

    /// Returns the slots of a master that have keys of users.
    pub fn used_slots(&self, index: usize) -> Vec<u16> {
        let keys: Vec<String> = self.servers[index].command(&["KEYS", "*:g"]);
        let slot = |key: &String| self.servers[index].command::<u16>(&["CLUSTER", "KEYSLOT", key]);
        keys.iter().map(slot).collect()
    }
}
