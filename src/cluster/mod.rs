//! Several nodes, one presence graph. Without a configured Redis nothing here runs.
//!
//! Each node merges its own connections of a user into one [`record`] and keeps it, under its *incarnation*, where the
//! others find it; each node merges the records of the other nodes into what it shows its own followers.
//! [`Backplane`] is the port; [`memory`] is the reference, which several nodes of one process share, [`redis`] the real
//! one. One contract suite runs both (`tests/cluster/contract`).
//!
//! # How the engine uses it
//!
//! The engine has `Nodes` (`engine/nodes`), or none; with none it does nothing of the following.
//!
//! | when | what is called |
//! |---|---|
//! | a supervisor starts a user's actor | [`Backplane::watch`]; the actor handles nothing before [`Backplane::remote`] is known, or [`NodeHealth`] says that Redis is away, or it has taken too long |
//! | a user's lines here, or what one shows, changed | [`Backplane::announce`] with all of them, or [`Backplane::withdraw`] after the last |
//! | its last line here broke and is shown on, or the node is about to send its clients away | [`Backplane::linger`]; at its own deadline [`Backplane::withdraw`] |
//! | a supervisor gets [`Listener::changed`] | the actor takes [`Backplane::remote`] in and tells its followers the difference to what it showed |
//! | a supervisor has an actor retire | [`Backplane::unwatch`]; it may retire only without lines, followers, and connections that are shown on here |
//!
//! What a user shows is its lines here and the remote connections (`presence/user/elsewhere` has the rules). A remote
//! connection with the id of one here, or with the id that one here is shown under, is left out. A connection that becomes
//! visible while one of its kind lingers takes its place: it is announced with `shown_as` the lingering one's shown id, and
//! nobody sees a leave or a join unless the status differs. The version followers are told is the actor's own, which grows
//! with every change it tells: a view on any node goes only forward, because the actor fetches states in their order.
//!
//! Questions about users who are not watched are answered by [`Backplane::look`]. [`Backplane::order`] has other nodes
//! close connections and read lists again; call windows are kept here, so that every node has the same.
//!
//! # What waits, and what happens when it is full
//!
//! * Announcements: one wish a local user, the latest ([`local`]). Never refused; Redis being away makes none longer.
//! * Notices to the engine: one a watched user ([`view`]). Where [`Listener::changed`] answers that there is no room, it is
//!   called again; the state fetched then is the latest. A dead actor's notice is dropped by the supervisor.
//! * Messages of a subscription: bounded; past that they are dropped and the buckets read from the log ([`feed`]).
//! * Questions and requests: at most [`MAX_REQUESTS`] at a time, then [`BackplaneError::Busy`].
//! * Orders: at most once, as they come; [`Listener::ordered`] may drop them, which is logged.
//!   After a line to Redis broke, [`Listener::missed`] says that some may have been lost.

pub mod command;
pub mod event;
pub mod feed;
pub mod keys;
pub mod memory;
pub mod node;
pub mod outgoing;
pub mod record;
pub mod redis;
pub mod slot;
pub mod view;

use std::time::Duration;

use futures_util::future::BoxFuture;
use hashbrown::HashMap;

use crate::presence::general_status::Exit;
use crate::presence::id::UserId;
use crate::presence::remote::{Remote, RemoteConnection};
pub use command::NodeCommand;
use node::NodeInfo;
use record::Record;

/// Requests that wait for Redis at a time.
pub const MAX_REQUESTS: usize = 4096;

/// Why the backplane did not do what it was asked. It may be asked again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BackplaneError {
    /// Redis is away, or answers too late. The request may have been carried out.
    #[error("redis is away: {0}")]
    Unavailable(String),
    /// Redis has no memory left.
    #[error("redis is full: {0}")]
    Full(String),
    /// Too many requests wait.
    #[error("too many requests wait for redis")]
    Busy,
    /// Redis answered something that is not understood.
    #[error("redis refused: {0}")]
    Refused(String),
    /// The backplane was closed.
    #[error("the backplane is closed")]
    Closed,
}

/// The answer of a [`Backplane`], later.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, BackplaneError>>;

/// How this node stands to the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeHealth {
    /// Its lease is renewed.
    Joined,
    /// Redis cannot be reached; the lease lasts a little longer. What is known of other nodes may be old.
    Degraded,
    /// Redis could not be reached for so long that the others may take this node for dead. Nothing is written.
    Isolated,
}

/// What the engine does for the backplane. Called on the backplane's threads: it must not block.
pub trait Listener: Send + Sync {
    /// The other nodes' connections of a watched user changed, or are known for the first time. False: there is no room
    /// for the notice; it comes again.
    fn changed(&self, user: UserId) -> bool;

    /// Another node, or this one, has an order about a user. False: it was dropped.
    fn ordered(&self, user: UserId, order: NodeCommand) -> bool;

    /// A node is dead that had these connections of a user, and this node removed them; no other did. Those whose lines
    /// had broken before are left out.
    fn lost(&self, user: UserId, connections: Vec<RemoteConnection>);

    /// This node was taken for dead, and another told its own listener that these connections of a user were lost. They
    /// are there, or came to an end of which the engine knows by itself.
    fn returned(&self, user: UserId, connections: Vec<RemoteConnection>);

    /// Messages of other nodes may have been missed: what orders are about is to be read again. May come often.
    fn missed(&self);
}

/// How often something may be done, over all nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallWindow {
    /// What is done; each is counted by itself. Letters and underscores.
    pub name: &'static str,
    /// How often, at least 1.
    pub limit: usize,
    /// In any span of this.
    pub span: Duration,
}

/// The node-to-node bus: see the module.
pub trait Backplane: Send + Sync {
    /// Has the other nodes know these connections of a user on this node, in place of those before. An empty record is a
    /// withdrawal. Never refused, never waits.
    fn announce(&self, user: UserId, record: Record);

    /// Has the other nodes know that the user has no connections here any more.
    fn withdraw(&self, user: UserId, exit: Exit);

    /// Has what was announced last stand for as long as this, though its lines are lost; then it counts as withdrawn, also
    /// if this node is gone by then.
    fn linger(&self, user: UserId, span: Duration);

    /// Begins to follow what other nodes have of a user; [`Listener::changed`] comes when it is known.
    fn watch(&self, user: UserId);

    /// Ends it.
    fn unwatch(&self, user: UserId);

    /// What other nodes have of a watched user; none while it is not known.
    fn remote(&self, user: UserId) -> Option<Remote>;

    /// What other nodes have of users, watched or not; those of whom nothing is known are left out.
    fn look(&self, users: Vec<UserId>) -> Answer<'_, HashMap<UserId, Remote>>;

    /// Gives an order to every node, this one among them. At most once.
    fn order(&self, user: UserId, order: NodeCommand) -> Answer<'_, ()>;

    /// Takes one call of a user's window; else says how long until the next. A refusal does not count.
    fn take_call(&self, user: UserId, window: CallWindow) -> Answer<'_, Result<(), Duration>>;

    /// All nodes that have a lease, this one among them, by name.
    fn nodes(&self) -> Answer<'_, Vec<NodeInfo>>;

    /// How this node stands to the others; the worst over all Redis.
    fn standing(&self) -> NodeHealth;

    /// What this node says of itself.
    fn info(&self) -> NodeInfo;

    /// Changes what this node says of itself.
    fn describe(&self, connections: u64, users: u64);

    /// Leaves in good order: waits until Redis has what was announced and withdrawn, then gives the lease up. What lingers
    /// is held for its time; what is still announced for `hold`.
    fn close(&self, hold: Duration) -> Answer<'_, ()>;
}
