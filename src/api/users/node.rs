//! The method about the server itself: `info`.

use super::Users;
use super::parameters::InfoRequest;
use super::results::{InfoResult, NodeBody};
use crate::api::ApiError;
use crate::clock::Clock;
use crate::presence::time::Timestamp;

/// Name and start time of this node.
#[derive(Clone, Debug)]
pub struct OwnNode {
    uid: String,
    name: String,
    started: Timestamp,
    clock: Clock,
}

impl OwnNode {
    /// A node that starts now.
    pub fn new(name: String, clock: &Clock) -> Self {
        Self { uid: uuid::Uuid::new_v4().to_string(), name, started: clock.now(), clock: clock.clone() }
    }
}

/// Formats a version number of this software.
fn version(number: &str) -> String {
    format!("{number} hereabouts")
}

impl Users {
    /// Returns all nodes that are known to be alive. A node that cannot reach the others knows only itself.
    pub async fn info(&self, _request: InfoRequest) -> Result<InfoResult, ApiError> {
        let Some(nodes) = self.engine.nodes().await else {
            return Ok(InfoResult { nodes: vec![self.own_node()] });
        };
        let now = self.node.clock.time_of_day().as_secs();
        let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
        let body = |node: crate::cluster::node::NodeInfo| NodeBody {
            uid: node.uid,
            name: node.name,
            version: version(&node.version),
            num_clients: count(node.connections),
            num_users: count(node.users),
            num_channels: 0,
            uptime: count(now.saturating_sub(node.started)),
            num_subs: 0,
        };
        Ok(InfoResult { nodes: nodes.into_iter().map(body).collect() })
    }

    fn own_node(&self) -> NodeBody {
        let OwnNode { uid, name, started, clock } = &self.node;
        NodeBody {
            uid: uid.clone(),
            name: name.clone(),
            version: version(env!("CARGO_PKG_VERSION")),
            num_clients: u32::try_from(self.metrics.connections()).unwrap_or(0),
            num_users: u32::try_from(self.metrics.engine().connected.get()).unwrap_or(0),
            num_channels: 0,
            uptime: u32::try_from(clock.now().since(*started).as_secs()).unwrap_or(u32::MAX),
            num_subs: 0,
        }
    }
}
