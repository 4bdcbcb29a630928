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
    /// Its own name; of a node that is alone, where it listens.
    pub name: String,
    /// Of this software.
    pub version: String,
    /// Open connections, of all dialects.
    pub clients: u32,
    /// Users with at least one of them.
    pub users: u32,
    /// Seconds since the start.
    pub uptime: u32,
}

/// How a version of this software is written.
fn version(number: &str) -> String {
    format!("{number} hereabouts")
}

impl Users {
    /// All nodes that are known to be alive. One that cannot reach the others knows only itself.
    pub async fn info(&self) -> Vec<NodeInfo> {
        let Some(nodes) = self.engine.nodes().await else { return vec![self.own_info()] };
        let now = self.node.clock.time_of_day().as_secs();
        let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let info = |node: crate::cluster::node::NodeInfo| NodeInfo {
            uid: node.uid,
            name: node.name,
            version: version(&node.version),
            clients: count(node.connections),
            users: count(node.users),
            uptime: count(now.saturating_sub(node.started)),
        };
        nodes.into_iter().map(info).collect()
    }

    fn own_info(&self) -> NodeInfo {
        let Node { uid, name, started, clock } = &self.node;
        NodeInfo {
            uid: uid.clone(),
            name: name.clone(),
            version: version(env!("CARGO_PKG_VERSION")),
            clients: u32::try_from(self.metrics.connections()).unwrap_or(0),
            users: u32::try_from(self.metrics.engine().connected.get()).unwrap_or(0),
            uptime: u32::try_from(clock.now().since(*started).as_secs()).unwrap_or(u32::MAX),
        }
    }
}
