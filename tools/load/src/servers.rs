//! What is under load: one server, or several nodes and their Redis.

use std::net::SocketAddr;

use crate::arguments::Arguments;
use crate::process::{Process, ServerKind, Usage};

/// The running servers. Dropping it stops the nodes, then Redis.
pub struct Servers {
    nodes: Vec<Process>,
    redis: Option<Process>,
}

impl Servers {
    /// Starts one server that runs alone.
    pub fn one(kind: ServerKind, arguments: &Arguments) -> anyhow::Result<Self> {
        Ok(Self { nodes: vec![Process::start(kind, arguments)?], redis: None })
    }

    /// Starts `count` nodes and a Redis for them.
    pub fn nodes(count: usize, arguments: &Arguments) -> anyhow::Result<Self> {
        let redis = Process::start_redis()?;
        let nodes = (1..=count).map(|number| Process::start_node(number, redis.address(), arguments));
        Ok(Self { nodes: nodes.collect::<anyhow::Result<_>>()?, redis: Some(redis) })
    }

    /// Returns how many nodes there are.
    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// Returns the address of a node; the first has number 0.
    pub fn address(&self, node: usize) -> SocketAddr {
        self.nodes[node].address()
    }

    /// Returns what all nodes together have used so far.
    pub fn usage(&self) -> Usage {
        self.nodes.iter().map(Process::usage).fold(Usage::default(), |sum, usage| Usage {
            cpu_seconds: sum.cpu_seconds + usage.cpu_seconds,
            memory: sum.memory + usage.memory,
        })
    }

    /// Returns what Redis has used so far, or `None` when there is none.
    pub fn redis_usage(&self) -> Option<Usage> {
        self.redis.as_ref().map(Process::usage)
    }
}
