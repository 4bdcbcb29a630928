//! Connections of a user that have no socket on this node: on other nodes, and lingering after a lost connection.
//!
//! A presence lingers so that a client that returns in time was never absent. The new connection *takes over* the lingering
//! one: followers keep seeing the id of the old one.

use std::time::Duration;

use bytestring::ByteString;

use super::dialect::Dialect;
use super::id::ConnectionId;
use super::remote::{Remote, RemoteConnection};
use super::time::Timestamp;

/// A request that a presence lingers after its connection is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linger {
    /// How long the presence lingers.
    pub span: Duration,
    /// The client's description of itself; see [`RemoteConnection::info`].
    pub info: Option<ByteString>,
}

/// Maximum number of lingering connections of one user on this node. Beyond it a lost connection is gone at once.
const MAX_LINGERING: usize = 64;

/// The connections of one user without a socket on this node, and which connections took over which.
#[derive(Debug, Default)]
pub struct Detached {
    /// What the other nodes report.
    pub(super) remote: Remote,
    /// When the user set the custom status that it shows.
    pub(super) custom_since: Timestamp,
    /// Connections that linger on this node, the earliest first.
    lingering: Vec<Lingering>,
    /// Which ids the connections of this node took over.
    takeovers: Vec<Takeover>,
}

#[derive(Debug)]
struct Takeover {
    /// The connection on this node. `None` means that it is gone; the connection that it took over still lingers on another
    /// node and must not be shown again.
    connection: Option<ConnectionId>,
    /// The id that followers see.
    shown: ConnectionId,
}

#[derive(Debug)]
struct Lingering {
    connection: RemoteConnection,
    until: Timestamp,
}

impl From<Remote> for Detached {
    fn from(remote: Remote) -> Self {
        Self { remote, ..Self::default() }
    }
}

impl Detached {
    /// Returns the id that followers see for a connection of this node.
    pub fn shown(&self, id: ConnectionId) -> ConnectionId {
        self.taken_over(id).unwrap_or(id)
    }

    /// Returns the id that a connection of this node took over.
    pub fn taken_over(&self, id: ConnectionId) -> Option<ConnectionId> {
        self.takeovers.iter().find(|takeover| takeover.connection == Some(id)).map(|takeover| takeover.shown)
    }

    /// Ends the takeover of a connection of this node that is gone.
    pub fn release(&mut self, id: ConnectionId) {
        for takeover in self.takeovers.iter_mut().filter(|takeover| takeover.connection == Some(id)) {
            takeover.connection = None;
        }
        self.forget_takeovers();
    }

    /// Forgets takeovers that have lost both connections.
    fn forget_takeovers(&mut self) {
        let lingering = &self.remote.lingering;
        self.takeovers.retain(|takeover| takeover.connection.is_some() || lingering.contains(&takeover.shown));
    }

    /// Replaces what the other nodes report.
    pub fn set_remote(&mut self, remote: Remote) {
        self.remote = remote;
        self.forget_takeovers();
        let Remote { connections, lingering, superseded, .. } = &self.remote;
        let is_live = |connection: &&RemoteConnection| !lingering.contains(&connection.shown());
        // Two connections on two nodes took over the same one at the same time: the one with the lower id keeps it.
        let has_rival = |takeover: &Takeover| {
            let other =
                connections.iter().filter(is_live).find(|connection| connection.shown_as == Some(takeover.shown));
            takeover.connection.zip(other).is_some_and(|(own, other)| other.id < own)
        };
        self.takeovers.retain(|takeover| !has_rival(takeover));
        // A client that returned on another node is shown there.
        let returned = |lost: &RemoteConnection| {
            let other = connections.iter().find(|one| one.shown() == lost.shown());
            other.is_some_and(|other| is_live(&other) || (other.since, other.id) > (lost.since, lost.id))
        };
        self.lingering.retain(|one| !returned(&one.connection) && !superseded.contains(&one.connection.shown()));
    }

    /// Returns the ids that linger on another node although the connection here that took them over is gone.
    pub fn superseded(&self) -> impl Iterator<Item = ConnectionId> {
        self.takeovers.iter().filter(|takeover| takeover.connection.is_none()).map(|takeover| takeover.shown)
    }

    /// Lets a connection of this node take over a lingering one of the same dialect, and returns the lingering one.
    pub fn take_over(&mut self, id: ConnectionId, dialect: Dialect) -> Option<RemoteConnection> {
        let predecessor = match self.lingering.iter().position(|one| one.connection.dialect == Some(dialect)) {
            Some(index) => self.lingering.remove(index).connection,
            None => self.lingering_remotely(dialect)?.clone(),
        };
        self.takeovers.push(Takeover { connection: Some(id), shown: predecessor.shown() });
        Some(predecessor)
    }

    fn lingering_remotely(&self, dialect: Dialect) -> Option<&RemoteConnection> {
        self.remote.connections.iter().find(|connection| {
            let shown = connection.shown();
            connection.dialect == Some(dialect)
                && connection.status.is_some()
                && self.remote.lingering.contains(&shown)
                && !self.takeovers.iter().any(|takeover| takeover.shown == shown)
        })
    }

    /// Returns whether one more connection may linger on this node.
    pub fn has_room(&self) -> bool {
        self.lingering.len() < MAX_LINGERING
    }

    /// Lets a lost connection linger, unless its client has already returned on another node.
    pub fn linger(&mut self, connection: RemoteConnection, until: Timestamp) {
        self.takeovers.retain(|takeover| takeover.connection != Some(connection.id));
        if self.is_live(connection.shown()) || self.remote.superseded.contains(&connection.shown()) {
            return;
        }
        self.lingering.push(Lingering { connection, until });
    }

    /// Ends the lingering of connections with a deadline not after `now`, or of all for `None`.
    pub fn expire(&mut self, now: Option<Timestamp>) {
        let is_over = |one: &mut Lingering| now.is_none_or(|now| one.until <= now);
        let gone: Vec<RemoteConnection> = self.lingering.extract_if(.., is_over).map(|one| one.connection).collect();
        // A connection that one of them had taken over must not be shown again.
        self.takeovers.extend(gone.iter().map(|one| Takeover { connection: None, shown: one.shown() }));
        self.forget_takeovers();
    }

    /// Returns the earliest deadline of the lingering connections on this node.
    pub fn first_deadline(&self) -> Option<Timestamp> {
        self.lingering.iter().map(|one| one.until).min()
    }

    /// Returns the latest deadline of the lingering connections on this node.
    pub fn last_deadline(&self) -> Option<Timestamp> {
        self.lingering.iter().map(|one| one.until).max()
    }

    /// Returns the connections that linger on this node.
    pub fn lingering(&self) -> impl Iterator<Item = &RemoteConnection> {
        self.lingering.iter().map(|one| &one.connection)
    }

    /// Returns the connections without a socket on this node that no connection of this node took over.
    pub fn connections(&self) -> impl Iterator<Item = &RemoteConnection> {
        let is_free = |connection: &&RemoteConnection| {
            let shown = connection.shown();
            !self.takeovers.iter().any(|takeover| takeover.shown == shown || takeover.connection == Some(connection.id))
                && !self.lingering().any(|one| one.shown() == shown)
        };
        self.lingering().chain(self.remote.connections.iter().filter(is_free))
    }

    /// Returns whether a live connection on another node is shown under this id.
    fn is_live(&self, shown: ConnectionId) -> bool {
        let Remote { connections, lingering, .. } = &self.remote;
        !lingering.contains(&shown) && connections.iter().any(|one| one.shown() == shown)
    }

    /// Returns whether the connection shown under this id lingers, here or on another node.
    pub fn lingers(&self, shown: ConnectionId) -> bool {
        self.lingering().any(|one| one.shown() == shown) || self.remote.lingering.contains(&shown)
    }

    /// Returns whether there is nothing to remember on this node.
    pub fn is_idle(&self) -> bool {
        self.lingering.is_empty() && self.takeovers.is_empty()
    }
}
