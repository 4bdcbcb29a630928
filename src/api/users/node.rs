//! The server itself.

use super::Users;
use crate::clock::Clock;
use crate::presence::time::Timestamp;

/// What the server is called, and since when it runs.
#[derive(Clone, Debug)]
pub struct Node {
    uid: String,
    name: String,
    started: Timestamp,
    clock: Clock,
}

impl Node {
    /// A server that starts just now.
    pub fn new(name: String, clock: &Clock) -> Self {
        Self { uid: uuid::Uuid::new_v4().to_string(), name, started: clock.now(), clock: clock.clone() }
    }
}

/// What the server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeInfo {
    /// Another at each start.
    pub uid: String,
    /// Where it listens.
    pub name: String,
    /// Of this software.
    pub version: &'static str,
    /// Open connections, of all dialects.
    pub clients: u32,
    /// Users with at least one of them.
    pub users: u32,
    /// Seconds since the start.
    pub uptime: u32,
}

impl Users {
    /// This server.
    pub fn info(&self) -> NodeInfo {
        let Node { uid, name, started, clock } = &self.node;
        NodeInfo {
            uid: uid.clone(),
            name: name.clone(),
            version: concat!(env!("CARGO_PKG_VERSION"), " hereabouts"),
            clients: u32::try_from(self.metrics.connections()).unwrap_or(0),
            users: u32::try_from(self.metrics.engine().connected.get()).unwrap_or(0),
            uptime: u32::try_from(clock.now().since(*started).as_secs()).unwrap_or(u32::MAX),
        }
    }
}
