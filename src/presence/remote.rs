//! What a user has besides the lines that are here: connections on other nodes, and lines that broke and may come back.

use std::time::Duration;

use bytestring::ByteString;

use super::dialect::Dialect;
use super::diff::Presence;
use super::general_status::Exit;
use super::id::{ConnectionId, Username};
use super::status::StatusText;
use super::time::Timestamp;

/// One connection, as other nodes are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteConnection {
    /// Which one.
    pub id: ConnectionId,
    /// The id it is shown under, where it took the place of one that lingered: nobody is to see a change.
    pub shown_as: Option<ConnectionId>,
    /// The name it was opened with.
    pub username: Option<Username>,
    /// `None`: connected but invisible.
    pub status: Option<StatusText>,
    /// Since when it shows that.
    pub since: Timestamp,
    /// The dialect of its client, or `None` for one that this version does not know.
    pub dialect: Option<Dialect>,
    /// What it said of itself when it opened: JSON.
    pub info: Option<ByteString>,
}

impl RemoteConnection {
    /// The id that followers know it by.
    pub fn shown(&self) -> ConnectionId {
        self.shown_as.unwrap_or(self.id)
    }

    /// What followers see of it.
    pub fn presence(&self) -> Option<Presence> {
        let status = self.status.clone()?;
        Some(Presence { connection: self.shown(), username: self.username.clone(), status })
    }
}

/// The text that a user gave itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomStatus {
    /// None: it took it back.
    pub text: Option<StatusText>,
    /// Since when; the latest counts.
    pub since: Timestamp,
}

/// What the other nodes have of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remote {
    /// Grows with every change, but where something was lost.
    pub version: u64,
    /// Their connections, visible and invisible, sorted by the id that is shown.
    pub connections: Vec<RemoteConnection>,
    /// The shown ids of those that linger: whoever comes now takes the place of one.
    pub lingering: Vec<ConnectionId>,
    /// The shown ids of those that linger and are not to be shown any more.
    pub spent: Vec<ConnectionId>,
    /// How a connection of the user was last seen to end, on any node.
    pub last_exit: Option<Exit>,
    /// The text that the user gave itself last, on any node.
    pub custom: CustomStatus,
}

/// How long a connection whose line broke is shown on, and what the engine knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Linger {
    /// For so long.
    pub span: Duration,
    /// See [`RemoteConnection::info`].
    pub info: Option<ByteString>,
}

/// The most lines of one user that broke and are shown on; past them the connection is gone at once.
const MAX_LINGERING: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub struct Unattached {
    /// On other nodes.
    pub(super) remote: Remote,
    /// Since when the user shows the text that it gave itself.
    pub(super) custom_since: Timestamp,
    /// Lines that broke here, the earliest first.
    left: Vec<Left>,
    /// Ids that connections here are shown under because they took the place of another.
    places: Vec<Takeover>,
}

#[derive(Debug)]
struct Takeover {
    /// None: it is gone, and its predecessor, which lingers on another node, is not to come back.
    connection: Option<ConnectionId>,
    shown: ConnectionId,
}

#[derive(Debug)]
struct Left {
    connection: RemoteConnection,
    until: Timestamp,
}

impl From<Remote> for Unattached {
    fn from(remote: Remote) -> Self {
        Self { remote, ..Self::default() }
    }
}

impl Unattached {
    /// The id that a connection here is shown under.
    pub fn shown(&self, id: ConnectionId) -> ConnectionId {
        self.place(id).unwrap_or(id)
    }

    /// The same, where it is another's.
    pub fn place(&self, id: ConnectionId) -> Option<ConnectionId> {
        self.places.iter().find(|place| place.connection == Some(id)).map(|place| place.shown)
    }

    /// A connection here is gone.
    pub fn release(&mut self, id: ConnectionId) {
        for place in self.places.iter_mut().filter(|place| place.connection == Some(id)) {
            place.connection = None;
        }
        self.forget_places();
    }

    /// Forgets who was replaced and lingers no longer.
    fn forget_places(&mut self) {
        let lingering = &self.remote.lingering;
        self.places.retain(|place| place.connection.is_some() || lingering.contains(&place.shown));
    }

    /// Replaces what other nodes have.
    pub fn set_remote(&mut self, remote: Remote) {
        self.remote = remote;
        self.forget_places();
        let Remote { connections, lingering, spent, .. } = &self.remote;
        let is_live = |connection: &&RemoteConnection| !lingering.contains(&connection.shown());
        // Two that came back at once have taken the place of one: the first by its id keeps it.
        let rival = |place: &Takeover| {
            let other = connections.iter().filter(is_live).find(|connection| connection.shown_as == Some(place.shown));
            place.connection.zip(other).is_some_and(|(own, other)| other.id < own)
        };
        self.places.retain(|place| !rival(place));
        // Whoever came back on another node has its place there.
        let took_over = |left: &RemoteConnection| {
            let other = connections.iter().find(|one| one.shown() == left.shown());
            other.is_some_and(|other| is_live(&other) || (other.since, other.id) > (left.since, left.id))
        };
        self.left.retain(|left| !took_over(&left.connection) && !spent.contains(&left.connection.shown()));
    }

    /// Those that linger on another node, though the one that took their place here is gone.
    pub fn spent(&self) -> impl Iterator<Item = ConnectionId> {
        self.places.iter().filter(|place| place.connection.is_none()).map(|place| place.shown)
    }

    /// A connection here takes the place of one of its dialect that lingers; answers that, if there is one.
    pub fn take_over(&mut self, id: ConnectionId, dialect: Dialect) -> Option<RemoteConnection> {
        let predecessor = match self.left.iter().position(|left| left.connection.dialect == Some(dialect)) {
            Some(index) => self.left.remove(index).connection,
            None => self.lingering_abroad(dialect)?.clone(),
        };
        self.places.push(Takeover { connection: Some(id), shown: predecessor.shown() });
        Some(predecessor)
    }

    fn lingering_abroad(&self, dialect: Dialect) -> Option<&RemoteConnection> {
        self.remote.connections.iter().find(|connection| {
            let shown = connection.shown();
            connection.dialect == Some(dialect)
                && connection.status.is_some()
                && self.remote.lingering.contains(&shown)
                && !self.places.iter().any(|place| place.shown == shown)
        })
    }

    /// Whether one more line that broke may be shown on.
    pub fn has_room(&self) -> bool {
        self.left.len() < MAX_LINGERING
    }

    /// The line of a connection broke; it is shown on, in its place, unless it has come back on another node already.
    pub fn stay(&mut self, connection: RemoteConnection, until: Timestamp) {
        self.places.retain(|place| place.connection != Some(connection.id));
        if self.is_live(connection.shown()) || self.remote.spent.contains(&connection.shown()) {
            return;
        }
        self.left.push(Left { connection, until });
    }

    /// Takes out those whose time is over by `now`; none: all.
    pub fn lapse(&mut self, now: Option<Timestamp>) {
        let over = |left: &mut Left| now.is_none_or(|now| left.until <= now);
        let gone: Vec<RemoteConnection> = self.left.extract_if(.., over).map(|left| left.connection).collect();
        // One whose place it took is not to come back.
        self.places.extend(gone.iter().map(|one| Takeover { connection: None, shown: one.shown() }));
        self.forget_places();
    }

    /// When the first of them is over.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.left.iter().map(|left| left.until).min()
    }

    /// When the last of them is over.
    pub fn end(&self) -> Option<Timestamp> {
        self.left.iter().map(|left| left.until).max()
    }

    /// Lines that broke here.
    pub fn left(&self) -> impl Iterator<Item = &RemoteConnection> {
        self.left.iter().map(|left| &left.connection)
    }

    /// Connections without a line here whose place nobody took.
    pub fn others(&self) -> impl Iterator<Item = &RemoteConnection> {
        let is_free = |connection: &&RemoteConnection| {
            let shown = connection.shown();
            !self.places.iter().any(|place| place.shown == shown || place.connection == Some(connection.id))
                && !self.left().any(|left| left.shown() == shown)
        };
        self.left().chain(self.remote.connections.iter().filter(is_free))
    }

    /// Whether a connection on another node that does not linger is shown under this id.
    fn is_live(&self, shown: ConnectionId) -> bool {
        let Remote { connections, lingering, .. } = &self.remote;
        !lingering.contains(&shown) && connections.iter().any(|one| one.shown() == shown)
    }

    /// Whether what is shown under this id lingers.
    pub fn lingers(&self, shown: ConnectionId) -> bool {
        self.left().any(|left| left.shown() == shown) || self.remote.lingering.contains(&shown)
    }

    /// Whether nothing has to be remembered.
    pub fn is_idle(&self) -> bool {
        self.left.is_empty() && self.places.is_empty()
    }
}
