//! The engine among other nodes: it listens to the backplane, asks it about users that are not here, and sends
//! commands.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hashbrown::HashMap;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};

use super::inspection::Selection;
use super::messages::{IfAbsent, ToShard, UserMessage};
use super::{Engine, EngineError, WeakEngine};
use crate::cluster::node::NodeInfo;
use crate::cluster::{Backplane, BackplaneError, Listener, NodeCommand, NodeHealth};
use crate::outbox::{Address, CloseRequest};
use crate::presence::id::UserId;
use crate::presence::member_record::NodeContext;
use crate::presence::remote::{Remote, RemoteConnection};
use crate::presence::time::Timestamp;
use crate::presence::user::{Event, UserPresence};

/// The other nodes.
#[derive(Clone)]
pub struct ClusterHandle {
    /// The bus between the nodes.
    pub backplane: Arc<dyn Backplane>,
    /// Listens to the backplane for the engine.
    pub listener: BackplaneListener,
    /// How long the other nodes show clients that this node closes when it stops.
    pub drain_linger: Duration,
    /// How long the actor of a new user waits for what other nodes have of it.
    pub patience: Duration,
}

/// Hears of connections that no session on this node can report. It must not block.
pub trait RemoteConnectionListener: Send + Sync {
    /// The node of this connection is dead. No other node reports the loss.
    fn lost(&self, user: UserId, connection: RemoteConnection);

    /// This connection is here, although another node reported its loss.
    fn returned(&self, user: UserId, connection: RemoteConnection);
}

/// Listens to the backplane for an engine that starts later. Cheap to clone.
#[derive(Clone, Default)]
pub struct BackplaneListener {
    engine: Arc<OnceLock<WeakEngine>>,
    connections: Option<Arc<dyn RemoteConnectionListener>>,
}

impl BackplaneListener {
    /// A listener that also reports connections.
    pub fn reporting_to(connections: Option<Arc<dyn RemoteConnectionListener>>) -> Self {
        Self { engine: Arc::default(), connections }
    }

    /// Passes events to this engine from here on.
    pub(super) fn set_engine(&self, engine: WeakEngine) {
        let first = self.engine.set(engine).is_ok();
        debug_assert!(first, "a backplane listener belongs to one engine");
    }

    fn engine(&self) -> Option<Engine> {
        self.engine.get()?.upgrade()
    }
}

impl Listener for BackplaneListener {
    fn changed(&self, user: UserId) -> bool {
        self.engine().is_some_and(|engine| engine.supervisor(user).offer(ToShard::RemoteChanged(user)).is_ok())
    }

    fn command_received(&self, user: UserId, command: NodeCommand) -> bool {
        let Some(engine) = self.engine() else { return false };
        match command {
            NodeCommand::Close { connection, except, code, reason } => {
                let selection = Selection { only: connection, except };
                let close_request = match u16::try_from(code) {
                    Ok(0) | Err(_) => CloseRequest::Disconnected,
                    Ok(code) => CloseRequest::DisconnectWith(Arc::new((code, reason.into()))),
                };
                engine.offer(user, IfAbsent::Drop, UserMessage::Disconnect(selection, close_request)).is_ok()
            }
            NodeCommand::Activity { forget, active: at, state } => {
                let forgotten = !forget || engine.forget(vec![user]).is_ok();
                let is_active = at != Timestamp::default();
                let marked =
                    !is_active || engine.offer(user, IfAbsent::Drop, UserMessage::MarkActive { at, state }).is_ok();
                forgotten && marked
            }
            NodeCommand::Roster(_) | NodeCommand::Subscriptions { .. } => {
                engine.queue_remote_command(user, command);
                true
            }
        }
    }

    fn lost(&self, user: UserId, connections: Vec<RemoteConnection>) {
        if let Some(listener) = &self.connections {
            connections.into_iter().for_each(|connection| listener.lost(user, connection));
        }
    }

    fn returned(&self, user: UserId, connections: Vec<RemoteConnection>) {
        if let Some(listener) = &self.connections {
            connections.into_iter().for_each(|connection| listener.returned(user, connection));
        }
    }

    fn missed(&self) {
        if let Some(engine) = self.engine() {
            engine.0.missed.notify_one();
        }
    }
}

/// Commands of other nodes about the lists of users, which the engine does not handle itself.
pub struct RemoteCommands {
    /// Holds at most [`MAX_REMOTE_COMMANDS`]. When it is full, `missed` is notified instead.
    pub commands: mpsc::Receiver<(UserId, NodeCommand)>,
    /// Notified when commands may have been missed, so that everything is read again.
    pub missed: Arc<Notify>,
}

/// Maximum number of commands that wait to be carried out, and of those that wait to be sent again.
pub(super) const MAX_REMOTE_COMMANDS: usize = 1024;

/// The first pause before a command is sent again. It doubles with each try.
const RESEND_PAUSE: Duration = Duration::from_millis(250);

/// Maximum number of tries: some minutes in all.
const MAX_RESENDS: u32 = 10;

impl ClusterHandle {
    /// Returns this node's number and those of the live nodes.
    pub async fn node_context(&self) -> NodeContext {
        let alive = match self.backplane.nodes().await {
            Ok(nodes) => Some(nodes.iter().map(NodeInfo::number).collect()),
            Err(error) => {
                log::debug!("the other nodes are not known: {error}");
                None
            }
        };
        NodeContext { node: self.backplane.info().number(), alive }
    }

    /// Whether the presence that other nodes have will be known soon.
    pub(super) fn is_reachable(&self) -> bool {
        match self.backplane.health() {
            NodeHealth::Joined => true,
            NodeHealth::Degraded | NodeHealth::Isolated => false,
        }
    }
}

impl Engine {
    /// Returns what other nodes have of the users that are not in `known`. Empty when the node runs alone.
    pub(super) async fn remote_users<T>(
        &self,
        users: impl IntoIterator<Item = &UserId>,
        known: &HashMap<UserId, T>,
    ) -> Result<Vec<UserPresence<Address>>, EngineError> {
        let Some(nodes) = &self.0.nodes else { return Ok(Vec::new()) };
        let missing: Vec<UserId> = users.into_iter().filter(|user| !known.contains_key(*user)).copied().collect();
        if missing.is_empty() {
            return Ok(Vec::new());
        }
        let found = nodes.backplane.query(missing).await.map_err(|error| {
            log::debug!("other nodes could not be asked: {error}");
            EngineError::Unavailable
        })?;
        Ok(found.into_iter().map(|(user, remote)| presence(user, remote)).collect())
    }

    /// Returns the receiver of other nodes' commands about lists. `None` when the node runs alone or the receiver is
    /// taken.
    pub fn remote_commands(&self) -> Option<RemoteCommands> {
        self.0.nodes.as_ref()?;
        let (sender, commands) = mpsc::channel(MAX_REMOTE_COMMANDS);
        let missed = self.0.missed.clone();
        self.0.remote_commands.set(sender).ok().map(|()| RemoteCommands { commands, missed })
    }

    /// Queues a command for the receiver of [`Engine::remote_commands`], or notes that one was missed.
    fn queue_remote_command(&self, user: UserId, command: NodeCommand) {
        if self.0.remote_commands.get().is_none_or(|commands| commands.try_send((user, command)).is_err()) {
            self.0.missed.notify_one();
        }
    }

    /// Sends a command about a user to the other nodes. After a failure it sends the command again later, because a
    /// node reads the lists by itself only when its own connection to Redis breaks.
    pub async fn send_to_nodes(&self, user: UserId, command: NodeCommand) {
        let Some(nodes) = &self.0.nodes else { return };
        let Err(error) = nodes.backplane.send_command(user, command.clone()).await else { return };
        log::warn!("a changed list is not announced to the other nodes yet: {error}");
        if let Ok(permit) = self.0.resend_permits.clone().try_acquire_owned() {
            tokio::spawn(resend(nodes.backplane.clone(), user, command, permit));
        }
    }

    /// Makes the other nodes close selected connections of a user.
    pub(super) async fn disconnect_on_other_nodes(
        &self,
        user: UserId,
        selection: Selection,
        close_request: CloseRequest,
    ) -> Result<(), EngineError> {
        let Some(nodes) = &self.0.nodes else { return Ok(()) };
        let (code, reason) = match close_request {
            CloseRequest::Drain | CloseRequest::Disconnected => (0, String::new()),
            CloseRequest::DisconnectWith(close) => (close.0.into(), close.1.to_string()),
        };
        let command = NodeCommand::Close { connection: selection.only, except: selection.except, code, reason };
        nodes.backplane.send_command(user, command).await.map_err(|error| {
            log::warn!("a user could not be disconnected on the other nodes: {error}");
            EngineError::Unavailable
        })
    }

    /// Returns all nodes, including this one. `None` when the node runs alone or the others cannot be asked now.
    pub async fn nodes(&self) -> Option<Vec<NodeInfo>> {
        match self.0.nodes.as_ref()?.backplane.nodes().await {
            Ok(nodes) => Some(nodes),
            Err(error) => {
                log::debug!("the other nodes are not known: {error}");
                None
            }
        }
    }
}

/// Sends a command again until it succeeds, for some minutes. The command may arrive twice.
async fn resend(backplane: Arc<dyn Backplane>, user: UserId, command: NodeCommand, _permit: OwnedSemaphorePermit) {
    for tried in 0..MAX_RESENDS {
        tokio::time::sleep(RESEND_PAUSE * 2_u32.pow(tried)).await;
        match backplane.send_command(user, command.clone()).await {
            Ok(()) | Err(BackplaneError::Closed) => return,
            Err(error) => log::debug!("the other nodes still cannot be told: {error}"),
        }
    }
    log::warn!("a changed list was not announced to the other nodes");
}

fn presence(user: UserId, remote: Remote) -> UserPresence<Address> {
    let mut presence = UserPresence::new(user);
    presence.handle(Event::RemoteChanged { remote, devices: Vec::new() }, Timestamp::default());
    presence
}
