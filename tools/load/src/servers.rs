//! What is under load: one server, or several nodes and the Redis that they meet at.

use std::net::SocketAddr;

use crate::arguments::Arguments;
use crate::process::{Kind, Process, Usage};

/// The running servers, stopped in this order.
pub struct Servers {
    nodes: Vec<Process>,
    redis: Option<Process>,
}

impl Servers {
    /// One server without others.
    pub fn one(kind: Kind, arguments: &Arguments) -> anyhow::Result<Self> {
        Ok(Self { nodes: vec![Process::start(kind, arguments)?], redis: None })
    }

    /// As many nodes on a Redis of their own.
    pub fn nodes(count: usize, arguments: &Arguments) -> anyhow::Result<Self> {
        let redis = Process::start_redis()?;
        let nodes = (1..=count).map(|number| Process::start_node(number, redis.address(), arguments));
        Ok(Self { nodes: nodes.collect::<anyhow::Result<_>>()?, redis: Some(redis) })
    }

    /// How many nodes there are.
    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// Where a node listens; they are counted from 0.
    pub fn address(&self, node: usize) -> SocketAddr {
        self.nodes[node].address()
    }

    /// What all nodes together have used so far.
    pub fn usage(&self) -> Usage {
        self.nodes.iter().map(Process::usage).fold(Usage::default(), |sum, usage| Usage {
            cpu_seconds: sum.cpu_seconds + usage.cpu_seconds,
            memory: sum.memory + usage.memory,
        })
    }

    /// What Redis has used so far, where there is one.
    pub fn redis_usage(&self) -> Option<Usage> {
        self.redis.as_ref().map(Process::usage)
    }
}
