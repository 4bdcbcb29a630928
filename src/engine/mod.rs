//! The users: one actor for each, which the supervisor of its shard finds or starts.
//!
//! [`Engine`] is the handle for the rest of the server: this page has its start, connections and stop, `follow` has
//! follows, `query` has questions, `cluster` has what concerns other nodes. [`ConnectionHandle`] attaches one
//! connection to its user. [`messages`] lists all messages on one page, and [`mailbox`] is the only place that sends.
//! The rules of a user are in `presence/`, the delivery to one client in `outbox/`, Tencent's logged-in users in
//! `members/`.

mod cluster;
mod connection_handle;
mod fan_out;
mod follow;
mod inspection;
mod last_seen;
mod mailbox;
mod messages;
mod query;
mod shard;
mod shared_privacy;
mod strides;
mod supervisor;
#[cfg(test)]
pub(crate) mod tests;
mod user;

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use actix::{Actor, Context, Handler};
use hashbrown::DefaultHashBuilder;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

use crate::clock::Clock;
use crate::cluster::NodeCommand;
use crate::config::EngineConfig;
use crate::metrics::Metrics;
use crate::outbox::{Address, CloseRequest};
use crate::presence::id::UserId;
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;

pub use cluster::{BackplaneListener, ClusterHandle, RemoteCommands, RemoteConnectionListener};
pub use connection_handle::ConnectionHandle;
pub use inspection::{ConnectionInspection, Selection, UserInspection};
pub use last_seen::LastSeenRecorder;
pub use mailbox::{Counted, Mailbox};
use messages::{IfAbsent, Portion, SharedMessage, ToShard, ToUser, UserMessage};
use shard::Shard;
pub use shared_privacy::SharedPrivacy;

/// Why the engine refuses something. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// A mailbox is full, or the shard holds its maximum number of users.
    #[error("the server is busy")]
    Busy,
    /// The user has its maximum number of connections.
    #[error("the user has too many connections")]
    TooManyConnections,
    /// Other nodes cannot be asked now.
    #[error("other nodes cannot be asked just now")]
    Unavailable,
    /// The engine has stopped.
    #[error("the server is stopping")]
    Stopped,
}

/// All shards. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

/// A reference to the engine that does not keep it alive.
#[derive(Clone)]
pub struct WeakEngine(Weak<Inner>);

impl WeakEngine {
    /// Returns the engine, or `None` when it is gone.
    pub fn upgrade(&self) -> Option<Engine> {
        self.0.upgrade().map(Engine)
    }
}

/// What the user actors need from the rest of the server.
#[derive(Clone)]
pub struct Ports {
    /// Writes and reads last-seen records.
    pub recorder: LastSeenRecorder,
    /// The privacy lists of all users.
    pub shared_privacy: SharedPrivacy,
    /// The other nodes, or `None` when the node runs alone.
    pub nodes: Option<ClusterHandle>,
}

struct Inner {
    shards: Vec<Shard>,
    /// Writes and reads last-seen records.
    recorder: LastSeenRecorder,
    /// The privacy lists of all users.
    shared_privacy: SharedPrivacy,
    /// The engine accepts no new connections.
    draining: AtomicBool,
    /// Chooses a user's shard. Its seed is random, so no client can crowd one shard.
    hasher: DefaultHashBuilder,
    /// The other nodes, or `None` when the node runs alone.
    nodes: Option<ClusterHandle>,
    /// Receives the commands of other nodes about lists.
    remote_commands: OnceLock<mpsc::Sender<(UserId, NodeCommand)>>,
    /// Notified when commands may have been missed.
    missed: Arc<Notify>,
    /// Bounds the commands that wait to be sent to the other nodes again.
    resend_permits: Arc<Semaphore>,
}

impl Ports {
    /// Ports of a single node on which everybody sees everybody.
    pub fn open(recorder: LastSeenRecorder) -> Self {
        Self { recorder, shared_privacy: SharedPrivacy::default(), nodes: None }
    }
}

impl Engine {
    /// Starts the shards, each on its own thread. Needs a running actix system.
    pub fn start(config: &EngineConfig, ports: Ports, clock: &Clock, metrics: &Metrics) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let count = if config.shards == 0 { cores } else { config.shards };
        Self(Arc::new_cyclic(|engine| {
            let engine = WeakEngine(engine.clone());
            if let Some(nodes) = &ports.nodes {
                nodes.listener.set_engine(engine.clone());
            }
            let start = |_| Shard::start(config.max_users_per_shard, ports.clone(), engine.clone(), clock, metrics);
            Inner {
                shards: (0..count).map(start).collect(),
                recorder: ports.recorder.clone(),
                shared_privacy: ports.shared_privacy.clone(),
                draining: AtomicBool::new(false),
                hasher: DefaultHashBuilder::default(),
                nodes: ports.nodes.clone(),
                remote_commands: OnceLock::new(),
                missed: Arc::default(),
                resend_permits: Arc::new(Semaphore::new(cluster::MAX_REMOTE_COMMANDS)),
            }
        }))
    }

    // ---- connections ----

    /// Attaches a connection to a user. When this returns, the connection is part of the user, and later followers see
    /// it.
    pub async fn attach(&self, user: UserId, address: Address) -> Result<ConnectionHandle, EngineError> {
        self.attach_within(usize::MAX, user, address).await
    }

    /// Attaches a connection, unless the user has `max_others` other connections in the same dialect.
    pub async fn attach_within(
        &self,
        max_others: usize,
        user: UserId,
        address: Address,
    ) -> Result<ConnectionHandle, EngineError> {
        if self.is_draining() {
            return Err(EngineError::Stopped);
        }
        let request = || {
            let (answer, attached) = oneshot::channel();
            let attach = UserMessage::Attach { address: address.clone(), max_others, answer };
            self.offer(user, IfAbsent::StartForConnection, attach).map(|()| attached)
        };
        let mut attached = request()?;
        // From here on, dropping the handle takes the attachment back: after a refusal, or when the caller gives up.
        let connection_handle = ConnectionHandle::pending(self.clone(), user, address.clone());
        // An actor that is lost before it answers is replaced, so the request is repeated.
        for _ in 0..3 {
            if let Ok(result) = attached.await {
                return result.map(|actor| connection_handle.with(actor));
            }
            attached = request()?;
        }
        Err(EngineError::Stopped)
    }

    /// Closes selected connections of a user on all nodes. They are gone shortly afterwards.
    pub async fn disconnect(
        &self,
        user: UserId,
        selection: Selection,
        close_request: CloseRequest,
    ) -> Result<(), EngineError> {
        let disconnect = UserMessage::Disconnect(selection.clone(), close_request.clone());
        self.offer(user, IfAbsent::Drop, disconnect)?;
        self.disconnect_on_other_nodes(user, selection, close_request).await
    }

    // ---- last seen ----

    /// Records that a user is active now, with the state that it gives. Without one the earlier state stays.
    pub fn mark_active(&self, user: UserId, state: Option<StatusText>) -> Result<(), EngineError> {
        let at = self.record_active(user, state.clone())?;
        self.offer(user, IfAbsent::Drop, UserMessage::MarkActive { at, state })
    }

    /// Writes that a user is active. Returns the time of day.
    fn record_active(&self, user: UserId, state: Option<StatusText>) -> Result<Timestamp, EngineError> {
        self.0.recorder.active(user, state).map_err(|_| EngineError::Busy)
    }

    /// Forgets when these users were seen, after the store has forgotten it, and notifies their followers.
    pub fn forget(&self, users: Vec<UserId>) -> Result<(), EngineError> {
        let mut result = Ok(());
        for (supervisor, users) in self.by_shard(users.into_iter().map(|user| (user, user))) {
            result = result.and(supervisor.offer(ToShard::ForgetLastSeen(users)));
        }
        result
    }

    // ---- stop ----

    /// Accepts no new connections from here on.
    pub fn refuse_new(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the engine accepts no new connections.
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }

    /// Closes every connection.
    pub fn close_all(&self, close_request: CloseRequest) {
        self.to_all(Portion::ALL, &SharedMessage::Close(close_request));
    }

    /// Closes every connection of one in `portions` users. Each `portion` selects other users.
    pub fn close_portion(&self, portion: u32, portions: u32, close_request: CloseRequest) {
        self.to_all(Portion { index: portion, count: portions }, &SharedMessage::Close(close_request));
    }

    /// Completes when every user has handled all earlier messages.
    pub async fn settle(&self) {
        let (answer, mut answers) = mpsc::unbounded_channel();
        self.to_all(Portion::ALL, &SharedMessage::Settle(answer));
        while answers.recv().await.is_some() {}
    }

    /// Stops the shards' threads and drops everything on them.
    pub fn stop(&self) {
        self.0.shards.iter().for_each(Shard::stop);
    }

    /// Makes a user's actor panic.
    #[cfg(test)]
    pub fn inject_panic(&self, user: UserId) {
        self.deliver(user, UserMessage::InjectPanic);
    }

    // ---- shards ----

    /// Returns a reference that does not keep the engine alive.
    pub fn downgrade(&self) -> WeakEngine {
        WeakEngine(Arc::downgrade(&self.0))
    }

    /// Starts one actor of a kind on each shard's thread. The mailboxes are in the order of [`Engine::shard_of`].
    /// `build` gets the actor's own mailbox.
    pub fn start_on_shards<A, M>(&self, build: impl FnOnce(Mailbox<M>) -> A + Clone + Send + 'static) -> Vec<Mailbox<M>>
    where
        A: Actor<Context = Context<A>> + Handler<Counted<M>>,
        M: Send + 'static,
    {
        self.0.shards.iter().map(|shard| shard.start_actor(build.clone())).collect()
    }

    /// Returns the number of the shard that owns a user.
    pub fn shard_of(&self, user: UserId) -> usize {
        let hash = self.0.hasher.hash_one(user);
        usize::try_from(hash % self.0.shards.len() as u64).expect("below the number of shards")
    }

    /// The other nodes, or `None` when the node runs alone.
    pub fn cluster(&self) -> Option<&ClusterHandle> {
        self.0.nodes.as_ref()
    }

    /// Writes and reads last-seen records.
    pub fn recorder(&self) -> &LastSeenRecorder {
        &self.0.recorder
    }

    /// The privacy lists of all users.
    pub fn shared_privacy(&self) -> &SharedPrivacy {
        &self.0.shared_privacy
    }

    fn supervisor(&self, user: UserId) -> &Mailbox<ToShard> {
        self.0.shards[self.shard_of(user)].supervisor()
    }

    /// Sends a message to a user, unless the shard's mailbox is full.
    fn offer(&self, user: UserId, if_absent: IfAbsent, message: UserMessage) -> Result<(), EngineError> {
        self.supervisor(user).offer(ToShard::ToUser(ToUser { user, if_absent, message }))
    }

    /// Sends a message to a user. Never refused. Dropped when the user is absent.
    fn deliver(&self, user: UserId, message: UserMessage) {
        self.supervisor(user).deliver(ToShard::ToUser(ToUser { user, if_absent: IfAbsent::Drop, message }));
    }

    /// Sends a message to a portion of all users. Never refused.
    fn to_all(&self, portion: Portion, message: &SharedMessage) {
        for shard in &self.0.shards {
            shard.supervisor().deliver(ToShard::ToAll(portion, message.clone()));
        }
    }

    /// Groups items by the shard of their user.
    fn by_shard<T>(&self, items: impl Iterator<Item = (UserId, T)>) -> Vec<(&Mailbox<ToShard>, Vec<T>)> {
        let mut groups: Vec<(&Mailbox<ToShard>, Vec<T>)> =
            self.0.shards.iter().map(|shard| (shard.supervisor(), Vec::new())).collect();
        for (user, item) in items {
            groups[self.shard_of(user)].1.push(item);
        }
        groups.retain(|(_, items)| !items.is_empty());
        groups
    }
}
