//! Several nodes, one presence graph. Without a configured Redis, nothing of this module runs.
//!
//! Each node merges its own connections of a user into one [`record`]. It stores the record under its *incarnation*,
//! where the other nodes find it. Each node merges the records of the other nodes into the presence that its own
//! followers see. [`Backplane`] is the port. [`memory`] is the reference, which several nodes of one process share;
//! [`redis`] is the real one. One contract suite runs both (`tests/it/cluster/contract.rs`).
//!
//! | file | holds |
//! |---|---|
//! | [`record`], [`message`], [`command`], [`node`] | the forms: stored records, messages of a bucket, commands, node infos |
//! | [`outgoing`] | the desired records of local users, and which of them Redis does not have yet |
//! | [`feed`] | the order of a bucket's events, gaps, resync |
//! | [`view`] | the remote records of watched users |
//!
//! Connections to Redis, buckets and key names are in [`crate::redis`].
//!
//! # How the engine uses it
//!
//! The engine has an `engine::ClusterHandle`, or `None` when the node runs alone. Then it does nothing of the following.
//!
//! | when | call |
//! |---|---|
//! | a supervisor starts a user's actor | [`Backplane::watch`]; the actor handles nothing before [`Backplane::remote`] is known, or [`NodeHealth`] reports that Redis is away, or a deadline has passed |
//! | the user's local connections, or the status of one, changed | [`Backplane::announce`] with all of them, or [`Backplane::withdraw`] after the last |
//! | the last local connection was lost and lingers, or the node is about to drain its clients | [`Backplane::linger`]; at the node's own deadline [`Backplane::withdraw`] |
//! | a supervisor receives [`Listener::changed`] | the actor reads [`Backplane::remote`] and tells its followers the difference to the published snapshot |
//! | a supervisor retires an actor | [`Backplane::unwatch`]; the actor may retire only without connections, followers and connections that linger here |
//!
//! A user's presence is its local connections and its remote connections (`presence/remote` has the rules). A remote
//! connection with the id of a local one, or with the id under which a local one is shown, is left out. A connection that
//! becomes visible while another connection of the user lingers takes that connection over: it is announced with
//! `shown_as` = the shown id of the lingering one. Followers see neither a leave nor a join unless the status differs. The
//! version that followers receive is the actor's own, which grows with every published change: the view on any node only
//! moves forward, because the actor fetches states in their order.
//!
//! [`Backplane::query`] reads users who are not watched. [`Backplane::send_command`] makes other nodes close connections
//! and read lists again. Rate limits over all nodes are kept here too ([`Backplane::take_call`]).
//!
//! # Queues, and their behaviour when full
//!
//! * Announcements: one desired state per local user, the latest ([`outgoing`]). Never refused. An outage of Redis does not
//!   make the queue longer.
//! * Notices to the engine: one per watched user ([`view`]). If [`Listener::changed`] returns that there is no room, it is
//!   called again later; the state that the engine fetches then is the latest. The supervisor drops the notice for an actor
//!   that has ended.
//! * Messages of a subscription: bounded. When the queue is full, messages are dropped and the buckets are read from the
//!   log ([`feed`]).
//! * Requests that a caller waits for: at most [`MAX_REQUESTS`] at a time, then [`BackplaneError::Busy`].
//! * Commands to nodes: delivered at most once, in their order. [`Listener::command_received`] may drop one, which is
//!   logged. After a connection to Redis was lost, [`Listener::missed`] reports that some may be lost.

pub mod command;
pub mod feed;
pub mod memory;
pub mod message;
pub mod node;
pub mod outgoing;
pub mod record;
pub mod redis;
pub mod view;

use std::time::Duration;

use futures_util::future::BoxFuture;
use hashbrown::HashMap;

use crate::presence::general_status::Exit;
use crate::presence::id::UserId;
use crate::presence::remote::{Remote, RemoteConnection};
use crate::redis::error::CallError;
pub use command::NodeCommand;
use node::NodeInfo;
use record::Record;

/// Maximum number of requests that wait for Redis at a time.
pub const MAX_REQUESTS: usize = 4096;

/// Why the backplane did not carry out a request. The caller may try again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackplaneError {
    /// Redis is away, or its reply is late. The request may have been carried out.
    #[error("redis is away: {0}")]
    Unavailable(String),
    /// Redis has no memory left.
    #[error("redis is full: {0}")]
    Full(String),
    /// Too many requests wait.
    #[error("too many requests wait for redis")]
    Busy,
    /// Redis refused the request, or replied in a form that this version does not know.
    #[error("redis refused: {0}")]
    Refused(String),
    /// The backplane was closed.
    #[error("the backplane is closed")]
    Closed,
}

impl From<CallError> for BackplaneError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Unavailable(text) => Self::Unavailable(text),
            CallError::Full(text) => Self::Full(text),
            CallError::Refused(text) => Self::Refused(text),
        }
    }
}

/// The result of a [`Backplane`] request, when it is there.
pub type BackplaneFuture<'a, T> = BoxFuture<'a, Result<T, BackplaneError>>;

/// Whether this node's lease is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeHealth {
    /// The lease is renewed.
    Joined,
    /// Redis cannot be reached, and the lease has not expired yet. The remote records may be old.
    Degraded,
    /// Redis could not be reached for so long that the other nodes may declare this node dead. Nothing is written.
    Isolated,
}

/// What the engine does for the backplane. The methods run on the backplane's threads and must not block.
pub trait Listener: Send + Sync {
    /// Reports that the other nodes' connections of a watched user changed, or are known for the first time. Returns false
    /// if there is no room for the notice; then the call is repeated later.
    fn changed(&self, user: UserId) -> bool;

    /// Receives a command about a user from another node, or from this one. Returns false if the command was dropped.
    fn command_received(&self, user: UserId, command: NodeCommand) -> bool;

    /// Reports that a node died with these connections of a user, and that this node removed them. No other node reports
    /// them. Connections that were lost before the node's death are left out.
    fn lost(&self, user: UserId, connections: Vec<RemoteConnection>);

    /// Reports that this node was declared dead, and that another node told its own listener that these connections of a
    /// user were lost. They are still here, or the engine itself knows how they ended.
    fn returned(&self, user: UserId, connections: Vec<RemoteConnection>);

    /// Reports that messages of other nodes may be lost. The engine then reads again everything that commands change. May be
    /// called often.
    fn missed(&self);
}

/// A rate limit over all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallWindow {
    /// The limited operation. Each name counts separately. Letters and underscores.
    pub name: &'static str,
    /// Maximum number of calls in a span, at least 1.
    pub limit: usize,
    /// Length of the sliding window.
    pub span: Duration,
}

/// The bus between nodes. The module's documentation says when the engine calls what.
pub trait Backplane: Send + Sync {
    /// Publishes this node's connections of a user in place of the earlier ones. An empty record is a withdrawal. Never
    /// refuses, never waits.
    fn announce(&self, user: UserId, record: Record);

    /// Publishes that the user has no connections on this node any more.
    fn withdraw(&self, user: UserId, exit: Exit);

    /// Keeps the last announced record for `span`, although its connections are lost. Then the record counts as withdrawn,
    /// even if this node is gone by that time.
    fn linger(&self, user: UserId, span: Duration);

    /// Starts following the other nodes' records of a user. [`Listener::changed`] is called when they are known.
    fn watch(&self, user: UserId);

    /// Stops following a user.
    fn unwatch(&self, user: UserId);

    /// Returns the other nodes' connections of a watched user, or `None` while they are not known.
    fn remote(&self, user: UserId) -> Option<Remote>;

    /// Reads the other nodes' connections of users, watched or not. Leaves out users without a known connection.
    fn query(&self, users: Vec<UserId>) -> BackplaneFuture<'_, HashMap<UserId, Remote>>;

    /// Sends a command to every node, this one included. Delivered at most once.
    fn send_command(&self, user: UserId, command: NodeCommand) -> BackplaneFuture<'_, ()>;

    /// Takes one call of a user's window. The inner error is the time until the next call is allowed. A refused call does
    /// not count.
    fn take_call(&self, user: UserId, window: CallWindow) -> BackplaneFuture<'_, Result<(), Duration>>;

    /// Returns all nodes with a lease, this one included, sorted by name.
    fn nodes(&self) -> BackplaneFuture<'_, Vec<NodeInfo>>;

    /// Returns the health of this node: the worst over all configured Redis.
    fn health(&self) -> NodeHealth;

    /// Returns what this node publishes about itself.
    fn info(&self) -> NodeInfo;

    /// Changes what this node publishes about itself.
    fn describe(&self, connections: u64, users: u64);

    /// Leaves in good order: waits until Redis has every announcement and withdrawal, then releases the lease. Lingering
    /// records stay for their time, announced records for `hold`.
    fn close(&self, hold: Duration) -> BackplaneFuture<'_, ()>;
}
