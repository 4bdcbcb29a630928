//! What the engine does where there are other nodes: hears the backplane, and asks it about users who are not here.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actix::Handler;
use hashbrown::HashMap;
use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc};

use super::inspection::Selection;
use super::mailbox::Counted;
use super::messages::{Dismiss, Forget, MarkActive, Routed};
use super::supervisor::Supervisor;
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
    /// The way to them.
    pub backplane: Arc<dyn Backplane>,
    /// Hears it for the engine.
    pub listener: BackplaneListener,
    /// How long they show those on whom this node sends away when it stops.
    pub drain_linger: Duration,
    /// How long a user who is asked for the first time waits for what other nodes have of it.
    pub patience: Duration,
}

/// Is told of connections that no session here can tell of. Never waited for.
pub trait Census: Send + Sync {
    /// The node of this connection is dead; nobody else is told.
    fn lost(&self, user: UserId, connection: RemoteConnection);

    /// This connection is here, though another node has told that it was lost.
    fn returned(&self, user: UserId, connection: RemoteConnection);
}

/// Hears the backplane for an engine that starts after it. Cheap to clone.
#[derive(Clone, Default)]
pub struct BackplaneListener {
    engine: Arc<OnceLock<WeakEngine>>,
    census: Option<Arc<dyn Census>>,
}

impl BackplaneListener {
    /// One that tells of connections too.
    pub fn telling(census: Option<Arc<dyn Census>>) -> Self {
        Self { engine: Arc::default(), census }
    }

    /// From here on the engine is told.
    pub(super) fn belongs_to(&self, engine: WeakEngine) {
        let first = self.engine.set(engine).is_ok();
        debug_assert!(first, "an ear belongs to one engine");
    }

    fn engine(&self) -> Option<Engine> {
        self.engine.get()?.upgrade()
    }
}

impl Listener for BackplaneListener {
    fn changed(&self, user: UserId) -> bool {
        self.engine().is_some_and(|engine| engine.supervisor(user).offer(Changed(user)).is_ok())
    }

    fn command_received(&self, user: UserId, order: NodeCommand) -> bool {
        let Some(engine) = self.engine() else { return false };
        match order {
            NodeCommand::Close { connection, except, code, reason } => {
                let selection = Selection { only: connection, except };
                let close_request = match u16::try_from(code) {
                    Ok(0) | Err(_) => CloseRequest::Disconnected,
                    Ok(code) => CloseRequest::DisconnectWith(Arc::new((code, reason.into()))),
                };
                engine.supervisor(user).offer(Dismiss { user, selection, close_request }).is_ok()
            }
            NodeCommand::Activity { forget, active: at, state } => {
                let forgotten = !forget || engine.supervisor(user).offer(Forget(vec![user])).is_ok();
                let told =
                    at == Timestamp::default() || engine.supervisor(user).offer(MarkActive { user, at, state }).is_ok();
                forgotten && told
            }
            NodeCommand::Roster(_) | NodeCommand::Subscriptions { .. } => engine.note(user, order),
        }
    }

    fn lost(&self, user: UserId, connections: Vec<RemoteConnection>) {
        if let Some(census) = &self.census {
            connections.into_iter().for_each(|connection| census.lost(user, connection));
        }
    }

    fn returned(&self, user: UserId, connections: Vec<RemoteConnection>) {
        if let Some(census) = &self.census {
            connections.into_iter().for_each(|connection| census.returned(user, connection));
        }
    }

    fn missed(&self) {
        if let Some(engine) = self.engine() {
            engine.0.missed.notify_one();
        }
    }
}

/// What accounts have to do because another node says so.
pub struct RemoteCommands {
    /// At most [`MAX_REMOTE_COMMANDS`]; past that all is read again.
    pub commands: mpsc::Receiver<(UserId, NodeCommand)>,
    /// Orders may have been missed.
    pub missed: Arc<Notify>,
}

/// Orders about accounts that wait to be carried out.
pub(super) const MAX_REMOTE_COMMANDS: usize = 1024;

/// The first pause before other nodes are given an order again; it doubles with each of the tries.
const PAUSE: Duration = Duration::from_millis(250);
const TRIES: u32 = 10;

/// What other nodes have of a user has changed, or is known for the first time.
pub struct Changed(UserId);

impl Handler<Counted<Changed>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<Changed>, _: &mut Self::Context) {
        let Changed(user) = counted.content;
        // Without an entry nobody wants to know.
        let Some(entry) = self.users.get_mut(&user) else { return };
        let is_known = || self.shard.nodes.as_ref().is_some_and(|nodes| nodes.backplane.remote(user).is_some());
        if entry.loading.is_some() && !is_known() {
            // A notice from before the user was watched anew.
            return;
        }
        // The actor looks by itself once it is known. It may have given up waiting: it is told like any other then.
        if entry.loading.take().is_none_or(|loading| loading.send(()).is_err()) {
            entry.route(Routed::RemoteChanged);
        }
    }
}

impl ClusterHandle {
    /// This node among those that are alive.
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

    /// Whether what other nodes have will be known soon.
    pub(super) fn are_reached(&self) -> bool {
        match self.backplane.health() {
            NodeHealth::Joined => true,
            NodeHealth::Degraded | NodeHealth::Isolated => false,
        }
    }
}

impl Engine {
    /// What other nodes have of those users of whom nothing is known here; there is nothing where there are no other nodes.
    pub(super) async fn elsewhere<T>(
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

    /// The orders about accounts; none where there are no other nodes, or somebody has them already.
    pub fn remote_commands(&self) -> Option<RemoteCommands> {
        self.0.nodes.as_ref()?;
        let (sender, commands) = mpsc::channel(MAX_REMOTE_COMMANDS);
        self.0.orders.set(sender).ok().map(|()| RemoteCommands { commands, missed: self.0.missed.clone() })
    }

    fn note(&self, user: UserId, order: NodeCommand) -> bool {
        if self.0.orders.get().is_none_or(|orders| orders.try_send((user, order)).is_err()) {
            self.0.missed.notify_one();
        }
        true
    }

    /// Has other nodes do something about a user. Where they cannot be told, they are told later: only those whose own
    /// line to Redis breaks look by themselves.
    pub async fn send_to_nodes(&self, user: UserId, order: NodeCommand) {
        let Some(nodes) = &self.0.nodes else { return };
        let Err(error) = nodes.backplane.send_command(user, order.clone()).await else { return };
        log::warn!("other nodes are not told of a change of a list yet: {error}");
        if let Ok(permit) = self.0.untold.clone().try_acquire_owned() {
            tokio::spawn(tell_again(nodes.backplane.clone(), user, order, permit));
        }
    }

    /// Has other nodes close some connections of a user.
    pub(super) async fn disconnect_elsewhere(
        &self,
        user: UserId,
        selection: Selection,
        close_request: CloseRequest,
    ) -> Result<(), EngineError> {
        let Some(nodes) = &self.0.nodes else { return Ok(()) };
        let (code, reason) = match close_request {
            CloseRequest::Drain | CloseRequest::Disconnected => (0, String::new()),
            CloseRequest::DisconnectWith(told) => (told.0.into(), told.1.to_string()),
        };
        let order = NodeCommand::Close { connection: selection.only, except: selection.except, code, reason };
        nodes.backplane.send_command(user, order).await.map_err(|error| {
            log::warn!("other nodes could not be told to disconnect a user: {error}");
            EngineError::Unavailable
        })
    }

    /// All nodes, this one among them; none: there are no others, or they cannot be asked just now.
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

/// Gives an order that may be given twice, some minutes long.
async fn tell_again(backplane: Arc<dyn Backplane>, user: UserId, order: NodeCommand, _room: OwnedSemaphorePermit) {
    for tried in 0..TRIES {
        tokio::time::sleep(PAUSE * 2_u32.pow(tried)).await;
        match backplane.send_command(user, order.clone()).await {
            Ok(()) | Err(BackplaneError::Closed) => return,
            Err(error) => log::debug!("other nodes are still not told: {error}"),
        }
    }
    log::warn!("other nodes were not told of a change of a list");
}

fn presence(user: UserId, remote: Remote) -> UserPresence<Address> {
    let mut presence = UserPresence::new(user);
    presence.handle(Event::RemoteChanged { remote, devices: Vec::new() }, Timestamp::default());
    presence
}
