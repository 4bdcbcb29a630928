//! The users: one actor each, found and started by the supervisor of their shard.
//!
//! [`Engine`] is the handle that the rest of the server holds; [`ConnectionHandle`] is one connection's hold on its user.
//! All messages are on one page, in [`messages`]. [`mailbox`] is the only place that sends. What is done where there are
//! other nodes begins in [`nodes`]. The rules are not here but in `presence/`; what a session does with a notification is
//! in `outbox/` and `session/`.

mod cluster;
mod connection_handle;
mod fan_out;
mod inspection;
mod last_seen;
mod mailbox;
mod messages;
mod routing;
mod shard;
mod shared_privacy;
mod supervisor;
#[cfg(test)]
pub(crate) mod tests;
mod user;

use std::hash::BuildHasher;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use actix::{Actor, Context};
use hashbrown::{DefaultHashBuilder, HashMap, HashSet};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

use crate::clock::Clock;
use crate::cluster::NodeCommand;
use crate::config::EngineConfig;
use crate::metrics::Metrics;
use crate::outbox::{Address, CloseRequest, Ticket, VisibleConnection};
use crate::presence::diff::Snapshot;
use crate::presence::general_status::GeneralStatus;
use crate::presence::id::UserId;
use crate::presence::status::StatusText;
use crate::presence::subscriptions::DeliveredStatus;
use crate::presence::time::Timestamp;

pub use cluster::{BackplaneListener, Census, ClusterHandle, RemoteCommands};
pub use connection_handle::ConnectionHandle;
pub use inspection::{Device, Selection, UserInspection};
pub use last_seen::LastSeenRecorder;
pub use mailbox::{Counted, Mailbox};
use messages::{
    Addresses, Attach, CloseAll, Dismiss, Follow, FollowSilently, Forget, Inspect, Leave, LeaveMember, MarkActive,
    SetHidden, Settle, Show, Subscribe, Unfollow, View,
};
use shard::Shard;
pub use shared_privacy::SharedPrivacy;
use supervisor::Supervisor;

/// Why the engine refuses something. Nothing has changed then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// A supervisor's mailbox is full, or its shard holds as many users as it may.
    #[error("the server is busy")]
    Busy,
    /// The user has as many connections as it may have.
    #[error("the user has too many connections")]
    TooManyConnections,
    /// Other nodes cannot be asked just now.
    #[error("other nodes cannot be asked just now")]
    Unavailable,
    /// The engine has stopped.
    #[error("the server is stopping")]
    Stopped,
}

/// All shards. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

/// All shards, as long as somebody else holds them.
#[derive(Clone)]
pub struct WeakEngine(Weak<Inner>);

impl WeakEngine {
    /// Returns the engine, or `None` when it is gone.
    pub fn upgrade(&self) -> Option<Engine> {
        self.0.upgrade().map(Engine)
    }
}

/// What the users' actors need of the rest of the server.
#[derive(Clone)]
pub struct Ports {
    /// Where it is written down when users are seen.
    pub recorder: LastSeenRecorder,
    /// Who sees whom.
    pub shared_privacy: SharedPrivacy,
    /// The other nodes; none: there are none.
    pub nodes: Option<ClusterHandle>,
}

struct Inner {
    shards: Vec<Shard>,
    /// When users did something, for those who ask later.
    recorder: LastSeenRecorder,
    /// Who sees whom.
    shared_privacy: SharedPrivacy,
    /// No new connections are taken.
    draining: AtomicBool,
    /// Chooses a user's shard; seeded at random, so that nobody outside can crowd one.
    hasher: DefaultHashBuilder,
    /// The other nodes; none: there are none.
    nodes: Option<ClusterHandle>,
    /// Where orders about accounts go.
    orders: OnceLock<mpsc::Sender<(UserId, NodeCommand)>>,
    /// Orders may have been missed.
    missed: Arc<Notify>,
    /// Room for orders that other nodes could not be given yet.
    untold: Arc<Semaphore>,
}

impl Ports {
    /// Ports of a single node on which everybody sees everybody.
    pub fn open(recorder: LastSeenRecorder) -> Self {
        Self { recorder, shared_privacy: SharedPrivacy::default(), nodes: None }
    }
}

impl Engine {
    /// Starts the shards, each on a thread of its own. Needs a running actix system.
    pub fn start(config: &EngineConfig, ports: Ports, clock: &Clock, metrics: &Metrics) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let count = if config.shards == 0 { cores } else { config.shards };
        Self(Arc::new_cyclic(|engine| {
            let engine = WeakEngine(engine.clone());
            if let Some(nodes) = &ports.nodes {
                nodes.listener.belongs_to(engine.clone());
            }
            let start = |_| Shard::start(config.max_users_per_shard, ports.clone(), engine.clone(), clock, metrics);
            Inner {
                shards: (0..count).map(start).collect(),
                recorder: ports.recorder.clone(),
                shared_privacy: ports.shared_privacy.clone(),
                draining: AtomicBool::new(false),
                hasher: DefaultHashBuilder::default(),
                nodes: ports.nodes.clone(),
                orders: OnceLock::new(),
                missed: Arc::default(),
                untold: Arc::new(Semaphore::new(cluster::MAX_REMOTE_COMMANDS)),
            }
        }))
    }

    /// Adds a connection to a user. When this returns it is part of the user: whoever follows from here on sees it.
    pub async fn attach(&self, user: UserId, address: Address) -> Result<ConnectionHandle, EngineError> {
        self.attach_within(usize::MAX, user, address).await
    }

    /// Likewise, unless the user has `most` others of the same dialect.
    pub async fn attach_within(
        &self,
        most: usize,
        user: UserId,
        address: Address,
    ) -> Result<ConnectionHandle, EngineError> {
        if self.is_draining() {
            return Err(EngineError::Stopped);
        }
        let (answer, mut attached) = oneshot::channel();
        self.supervisor(user).offer(Attach { user, address: address.clone(), most, answer })?;
        // From here on the connection is taken back if it is not granted, or if nobody waits for it any more.
        let connection_handle = ConnectionHandle::pending(self.clone(), user, address.clone());
        // An actor that is lost before it answers is replaced: ask again.
        for _ in 0..3 {
            if let Ok(result) = attached.await {
                return result.map(|actor| connection_handle.with(actor));
            }
            let (answer, again) = oneshot::channel();
            self.supervisor(user).offer(Attach { user, address: address.clone(), most, answer })?;
            attached = again;
        }
        Err(EngineError::Stopped)
    }

    /// Has each user's snapshot put into the follower's outbox, and every later diff after it. `request` is the number
    /// under which the outbox waits for them; a user may look absent to `asker`.
    pub fn follow(&self, asker: UserId, users: &[UserId], address: &Address, request: u32) -> Result<(), EngineError> {
        let ticket = |&user| Ticket::new(address.clone(), request, user).of(asker, None);
        self.follow_tickets(users.iter().map(ticket).collect())
    }

    /// Follows on behalf of these tickets, each of which carries its asker and its request.
    pub fn follow_tickets(&self, tickets: Vec<Ticket>) -> Result<(), EngineError> {
        let tickets = self.by_shard(tickets.into_iter().map(|ticket| (ticket.user(), ticket)));
        self.offer_each(tickets, |tickets| Follow { tickets })
    }

    /// Likewise, for a follower who is told whole presences: with what is written down of the user. That is read first;
    /// until then the user's actor knows nothing of it.
    pub fn subscribe(&self, asker: UserId, user: UserId, address: &Address, request: u32) {
        let ticket = Ticket::new(address.clone(), request, user).of(asker, None);
        subscribe(self.0.recorder.clone(), self.supervisor(user).clone(), ticket);
    }

    /// Stops telling; each user actor's acknowledgement goes to the outbox under `request`.
    pub fn unfollow(&self, users: &[UserId], address: &Address, request: u32) -> Result<(), EngineError> {
        let tickets = self.by_shard(users.iter().map(|&user| (user, Ticket::new(address.clone(), request, user))));
        self.offer_each(tickets, |tickets| Unfollow { tickets })
    }

    /// Ends follows without an acknowledgement. Never refused.
    pub fn unfollow_silently(&self, users: &[UserId], address: &Address) {
        for (supervisor, users) in self.by_shard(users.iter().map(|&user| (user, user))) {
            supervisor.deliver(Leave { users, address: address.clone() });
        }
    }

    /// Follows users without an answer: the address gets later changes and no snapshot. Never refused.
    pub fn follow_silently(&self, users: &[UserId], address: &Address, watcher: UserId) {
        for (supervisor, users) in self.by_shard(users.iter().map(|&user| (user, user))) {
            supervisor.deliver(FollowSilently { users, address: address.clone(), watcher });
        }
    }

    /// Ends follows. Each user reports the status that it delivered last. The channel closes after the last report. Never
    /// refused.
    pub fn unfollow_and_report(
        &self,
        users: &[UserId],
        address: &Address,
        answer: &mpsc::UnboundedSender<(UserId, DeliveredStatus)>,
    ) {
        for (supervisor, users) in self.by_shard(users.iter().map(|&user| (user, user))) {
            supervisor.deliver(LeaveMember { users, address: address.clone(), answer: answer.clone() });
        }
    }

    /// Which of these users are visible on at least one connection to `asker`; none: to anybody.
    pub async fn online(&self, asker: Option<UserId>, users: Vec<UserId>) -> Result<HashSet<UserId>, EngineError> {
        let views = self.snapshots(asker, &users).await?;
        let online = views.into_iter().filter(|(_, shown)| shown.general_status() == GeneralStatus::Online);
        Ok(online.map(|(user, _)| user).collect())
    }

    /// What those users show to `asker` of whom anything is known; the others are absent from the answer.
    pub async fn snapshots(
        &self,
        asker: Option<UserId>,
        users: &[UserId],
    ) -> Result<HashMap<UserId, Snapshot>, EngineError> {
        let (answer, mut answers) = mpsc::unbounded_channel();
        for (shard, users) in self.by_shard(users.iter().map(|&user| (user, user))) {
            shard.offer(View { users, asker, answer: answer.clone() })?;
        }
        drop(answer);
        let mut found = HashMap::new();
        while let Some(snapshot) = answers.recv().await {
            found.insert(snapshot.user, snapshot);
        }
        for other in self.elsewhere(users, &found).await? {
            let hides = asker.is_some_and(|asker| self.0.shared_privacy.hides(other.user(), asker));
            let shown = other.snapshot();
            found.insert(other.user(), if hides { shown.concealed() } else { shown });
        }
        Ok(found)
    }

    /// Has `owner` look absent to all connections of `other`, or be seen by them.
    pub async fn set_hidden(&self, owner: UserId, other: UserId, hide: bool) -> Result<(), EngineError> {
        let (answer, found) = oneshot::channel();
        self.supervisor(other).offer(Addresses { user: other, answer })?;
        // Nobody answers for a user of whom nothing is known.
        let Ok(addresses) = found.await else { return Ok(()) };
        self.supervisor(owner).offer(SetHidden { user: owner, addresses, hide })
    }

    /// The user's connections that `asker` sees, the one that changed last at the end.
    pub async fn visible(&self, asker: Option<UserId>, user: UserId) -> Result<Vec<VisibleConnection>, EngineError> {
        let (answer, shown) = oneshot::channel();
        self.supervisor(user).offer(Show { user, asker, answer })?;
        if let Ok(shown) = shown.await {
            return Ok(shown);
        }
        // Nobody answers for a user of whom nothing is known here.
        let others = self.elsewhere([&user], &HashMap::<_, ()>::new()).await?;
        let hides = asker.is_some_and(|asker| self.0.shared_privacy.hides(user, asker));
        Ok(others.iter().filter(|_| !hides).flat_map(user::queries::visible_connections).collect())
    }

    /// Everything about those users of whom anything is known; the others are absent from the answer. It has the
    /// invisible connections too: not for clients.
    pub async fn inspect(&self, users: Vec<UserId>) -> Result<HashMap<UserId, UserInspection>, EngineError> {
        let (answer, mut answers) = mpsc::unbounded_channel();
        for (shard, users) in self.by_shard(users.iter().map(|&user| (user, user))) {
            shard.offer(Inspect { users, answer: answer.clone() })?;
        }
        drop(answer);
        let mut found = HashMap::new();
        while let Some((user, examined)) = answers.recv().await {
            found.insert(user, examined);
        }
        let others = self.elsewhere(&users, &found).await?;
        found.extend(others.iter().map(|other| (other.user(), UserInspection::of(other))));
        Ok(found)
    }

    /// Has some connections of a user closed, on all nodes. They are gone a moment later.
    pub async fn disconnect(
        &self,
        user: UserId,
        selection: Selection,
        close_request: CloseRequest,
    ) -> Result<(), EngineError> {
        let dismiss = Dismiss { user, selection: selection.clone(), close_request: close_request.clone() };
        self.supervisor(user).offer(dismiss)?;
        self.disconnect_elsewhere(user, selection, close_request).await
    }

    /// Remembers that a user did something just now, and what it said of itself; none leaves what it said before.
    pub fn update_status(&self, user: UserId, state: Option<StatusText>) -> Result<(), EngineError> {
        let at = self.note_active(user, state.clone())?;
        self.supervisor(user).offer(MarkActive { user, at, state })
    }

    /// Has it written down that a user did something; the time of day is returned.
    fn note_active(&self, user: UserId, state: Option<StatusText>) -> Result<Timestamp, EngineError> {
        self.0.recorder.active(user, state).map_err(|_| EngineError::Busy)
    }

    /// What was written down of these users is gone; those who are told of them are told that too.
    pub fn forget(&self, users: Vec<UserId>) -> Result<(), EngineError> {
        let mut result = Ok(());
        for (shard, users) in self.by_shard(users.into_iter().map(|user| (user, user))) {
            result = result.and(shard.offer(Forget(users)));
        }
        result
    }

    /// Takes no new connections from here on.
    pub fn refuse_new(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
    }

    /// Whether it takes none any more.
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Relaxed)
    }

    /// Has every connection closed.
    pub fn close_all(&self, close_request: CloseRequest) {
        self.close_portion(0, 1, close_request);
    }

    /// Has every connection of one in `portions` users closed: another user for another `portion`.
    pub fn close_portion(&self, portion: u32, portions: u32, close_request: CloseRequest) {
        for shard in &self.0.shards {
            shard.supervisor().deliver(CloseAll { portion, portions, close_request: close_request.clone() });
        }
    }

    /// Completes when every user has handled what was sent before.
    pub async fn settle(&self) {
        let (answer, mut answers) = mpsc::unbounded_channel();
        self.0.shards.iter().for_each(|shard| shard.supervisor().deliver(Settle(answer.clone())));
        drop(answer);
        while answers.recv().await.is_some() {}
    }

    /// Stops the shards' threads; what is still on them is dropped.
    pub fn stop(&self) {
        self.0.shards.iter().for_each(Shard::stop);
    }

    /// Has a user's actor panic.
    #[cfg(test)]
    pub fn poison(&self, user: UserId) {
        self.supervisor(user).deliver(messages::InjectPanic(user));
    }

    /// Returns a reference that does not keep the engine alive.
    pub fn downgrade(&self) -> WeakEngine {
        WeakEngine(Arc::downgrade(&self.0))
    }

    /// Starts one actor of a kind on each shard's thread. The mailboxes are in the order of [`Engine::shard_of`]. `build`
    /// gets the actor's own mailbox.
    pub fn start_on_shards<A>(&self, build: impl FnOnce(Mailbox<A>) -> A + Clone + Send + 'static) -> Vec<Mailbox<A>>
    where
        A: Actor<Context = Context<A>>,
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

    fn supervisor(&self, user: UserId) -> &Mailbox<Supervisor> {
        self.0.shards[self.shard_of(user)].supervisor()
    }

    /// Sorts things by the shard of their user.
    fn by_shard<T>(&self, things: impl Iterator<Item = (UserId, T)>) -> Vec<(&Mailbox<Supervisor>, Vec<T>)> {
        let mut sorted: Vec<(&Mailbox<Supervisor>, Vec<T>)> =
            self.0.shards.iter().map(|shard| (shard.supervisor(), Vec::new())).collect();
        for (user, thing) in things {
            sorted[self.shard_of(user)].1.push(thing);
        }
        sorted.retain(|(_, things)| !things.is_empty());
        sorted
    }

    /// Offers one message a shard. A refused one is dropped, and with it its tickets, which say so to their outbox.
    fn offer_each<T, M>(
        &self,
        things: Vec<(&Mailbox<Supervisor>, Vec<T>)>,
        message: impl Fn(Vec<T>) -> M,
    ) -> Result<(), EngineError>
    where
        M: Send + 'static,
        Supervisor: actix::Handler<Counted<M>>,
    {
        let mut result = Ok(());
        for (supervisor, things) in things {
            result = result.and(supervisor.offer(message(things)));
        }
        result
    }
}

/// Has a ticket's user told to it, after what is written down of the user has been read.
fn subscribe(recorder: LastSeenRecorder, supervisor: Mailbox<Supervisor>, ticket: Ticket) {
    actix::spawn(async move {
        let record = recorder.record(ticket.user()).await;
        // Refused, the ticket says so to the outbox.
        let _refused = supervisor.offer(Subscribe { ticket, record });
    });
}
