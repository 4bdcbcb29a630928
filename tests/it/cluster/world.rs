//! Nodes and users, and what the nodes see.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hereabouts::clock::Clock;
use hereabouts::cluster::memory::{MemoryBackplane, MemoryHub};
use hereabouts::cluster::record::Record;
use hereabouts::cluster::redis::RedisBackplane;
use hereabouts::cluster::{Backplane, Listener, NodeCommand};
use hereabouts::config::{Config, Overrides, load};
use hereabouts::metrics::Metrics;
use hereabouts::presence::id::{ConnectionId, UserId, Username};
use hereabouts::presence::remote::{Remote, RemoteConnection};
use hereabouts::presence::status::StatusText;
use hereabouts::presence::time::Timestamp;
use hereabouts::redis::error::StartError;
use parking_lot::Mutex;
use uuid::Uuid;

use super::server::RedisServer;

/// Maximum time until an expected state.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until a condition holds.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        let mut look = tokio::time::interval(Duration::from_millis(5));
        while !holds() {
            look.tick().await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "never: {what}");
}

/// A listener that records its calls.
#[derive(Default)]
pub struct Recorder {
    changed: Mutex<HashMap<UserId, usize>>,
    commands: Mutex<Vec<(UserId, NodeCommand)>>,
    lost: Mutex<Vec<(UserId, RemoteConnection)>>,
    returned: Mutex<Vec<(UserId, RemoteConnection)>>,
}

impl Listener for Recorder {
    fn changed(&self, user: UserId) -> bool {
        *self.changed.lock().entry(user).or_default() += 1;
        true
    }

    fn command_received(&self, user: UserId, command: NodeCommand) -> bool {
        self.commands.lock().push((user, command));
        true
    }

    fn lost(&self, user: UserId, connections: Vec<RemoteConnection>) {
        self.lost.lock().extend(connections.into_iter().map(|connection| (user, connection)));
    }

    fn returned(&self, user: UserId, connections: Vec<RemoteConnection>) {
        self.returned.lock().extend(connections.into_iter().map(|connection| (user, connection)));
    }

    fn missed(&self) {}
}

/// One node.
pub struct Node {
    pub backplane: Arc<dyn Backplane>,
    pub recorder: Arc<Recorder>,
    pub metrics: Metrics,
}

impl Node {
    /// Announces one connection of `user` per text.
    pub fn announces(&self, user: UserId, texts: &[&str]) {
        let connections = texts.iter().map(|text| connection(text)).collect();
        self.backplane.announce(user, Record { connections, ..Record::default() });
    }

    /// Returns the sorted texts of the user on the other nodes, or `None` while they are not known.
    pub fn shows(&self, user: UserId) -> Option<Vec<String>> {
        self.backplane.remote(user).map(|remote| texts(&remote))
    }

    /// Waits until the user has exactly these texts on the other nodes.
    pub async fn sees(&self, user: UserId, expected: &[&str]) {
        let mut found = None;
        let waiting = async {
            let mut look = tokio::time::interval(Duration::from_millis(5));
            loop {
                look.tick().await;
                found = self.shows(user);
                if found.as_ref().is_some_and(|found| found == expected) {
                    break;
                }
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, waiting).await.is_ok();
        assert!(in_time, "expected {expected:?}, found {found:?}");
    }

    /// Returns the number of notices about a user after the last call.
    pub fn notices(&self, user: UserId) -> usize {
        self.recorder.changed.lock().remove(&user).unwrap_or(0)
    }

    /// Returns the connections that this node removed with their dead node, by user.
    pub fn lost(&self) -> Vec<(UserId, RemoteConnection)> {
        self.recorder.lost.lock().clone()
    }

    /// Returns the connections of this node that other nodes were told were lost.
    pub fn returned(&self) -> Vec<(UserId, RemoteConnection)> {
        self.recorder.returned.lock().clone()
    }

    /// Returns the commands that arrived after the last call.
    pub fn commands(&self) -> Vec<(UserId, NodeCommand)> {
        std::mem::take(&mut self.recorder.commands.lock())
    }
}

/// Returns the sorted texts of a state.
pub fn texts(remote: &Remote) -> Vec<String> {
    let text = |connection: &RemoteConnection| connection.status.as_ref().map(|text| text.as_str().to_owned());
    let mut texts: Vec<String> = remote.connections.iter().filter_map(text).collect();
    texts.sort();
    texts
}

/// Makes a connection with a text. The same text is the same connection.
pub fn connection(text: &str) -> RemoteConnection {
    RemoteConnection {
        id: ConnectionId::from_uuid(Uuid::new_v5(&Uuid::NAMESPACE_OID, text.as_bytes())),
        shown_as: None,
        username: Some(Username::new("alice").unwrap()),
        status: Some(StatusText::new(text).unwrap()),
        since: hereabouts::presence::time::Timestamp::default(),
        dialect: None,
        info: None,
    }
}

/// Makes a configuration with short leases and few buckets. The timeout of replies is longer than a pause of the machine.
pub fn config(redis: &str) -> Config {
    config_of(redis, "20s")
}

/// Makes the same configuration with a short timeout, for tests in which Redis does not reply.
pub fn hasty_config(redis: &str) -> Config {
    config_of(redis, "1s")
}

fn config_of(redis: &str, response_timeout: &str) -> Config {
    let settings = [
        ("REDIS", redis),
        ("LEASE_TTL", "1500ms"),
        ("HEARTBEAT", "300ms"),
        ("RESPONSE_TIMEOUT", response_timeout),
        ("BUCKETS", "32"),
    ];
    config_with(&settings)
}

/// Makes a configuration with these settings of `cluster`.
pub fn config_with(settings: &[(&str, &str)]) -> Config {
    let variable = |&(name, value): &(&str, &str)| (format!("HEREABOUTS_CLUSTER__{name}"), value.to_owned());
    load(&Overrides::default(), settings.iter().map(variable).collect()).unwrap()
}

/// Starts a node on Redis.
pub async fn start_node(config: &Config, name: &str) -> Result<(Node, Arc<RedisBackplane>), StartError> {
    // `RUST_LOG=hereabouts=debug` shows the logs of the nodes.
    let _once = env_logger::builder().is_test(true).try_init();
    let (recorder, metrics) = (Arc::<Recorder>::default(), Metrics::new());
    let clock = Clock::system();
    let started = RedisBackplane::start(&config.cluster, name, &clock, &metrics, recorder.clone()).await?;
    let started = Arc::new(started);
    Ok((Node { backplane: started.clone(), recorder, metrics }, started))
}

/// A place for nodes, connected by memory or by Redis.
pub enum World {
    Memory { hub: MemoryHub, clock: Clock, nodes: Mutex<HashMap<String, Arc<MemoryBackplane>>> },
    Redis { _servers: Vec<RedisServer>, config: Box<Config> },
}

impl World {
    pub fn memory() -> Self {
        let clock = Clock::manual(Timestamp::from_secs(1_795_220_273));
        Self::Memory { hub: MemoryHub::new(&clock), clock, nodes: Mutex::default() }
    }

    /// Starts several Redis with the users spread over them.
    pub fn redis(count: usize) -> Self {
        let servers: Vec<RedisServer> = (0..count).map(|_| RedisServer::start()).collect();
        let urls: Vec<String> = servers.iter().map(RedisServer::url).collect();
        Self::Redis { config: Box::new(config(&urls.join(" "))), _servers: servers }
    }

    pub async fn node(&self, name: &str) -> Node {
        match self {
            Self::Memory { hub, nodes, .. } => {
                let recorder = Arc::<Recorder>::default();
                let backplane = Arc::new(hub.join(name, recorder.clone()));
                nodes.lock().insert(name.to_owned(), backplane.clone());
                Node { backplane, recorder, metrics: Metrics::new() }
            }
            Self::Redis { config, .. } => start_node(config, name).await.unwrap().0,
        }
    }

    /// Ends a node without a withdrawal.
    pub fn crash(&self, name: &str, node: Node) {
        drop(node);
        if let Self::Memory { nodes, .. } = self {
            nodes.lock().remove(name).unwrap().crash();
        }
    }

    /// Advances the clock, if the clock is a manual one.
    pub fn pass(&self, span: Duration) {
        if let Self::Memory { hub, clock, .. } = self {
            clock.advance(span);
            hub.sweep();
        }
    }
}
