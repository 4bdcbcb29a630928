//! What the other nodes report of a user.
//!
//! How it is shared is in `cluster/`; how it merges with the connections of this node is in [`user`](super::user).

use bytestring::ByteString;

use super::dialect::Dialect;
use super::diff::Presence;
use super::general_status::Exit;
use super::id::{ConnectionId, Username};
use super::status::StatusText;
use super::time::Timestamp;

/// One connection, as nodes report it to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteConnection {
    /// Its own id.
    pub id: ConnectionId,
    /// The id that followers see, if it took over a lingering connection: followers see no change then.
    pub shown_as: Option<ConnectionId>,
    /// The username that it was opened with.
    pub username: Option<Username>,
    /// `None` means connected but invisible.
    pub status: Option<StatusText>,
    /// When it set this status.
    pub since: Timestamp,
    /// The dialect of its client, or `None` for one that this version does not know.
    pub dialect: Option<Dialect>,
    /// The client's description of itself when it opened, as JSON.
    pub info: Option<ByteString>,
}

impl RemoteConnection {
    /// Returns the id that followers see.
    pub fn shown(&self) -> ConnectionId {
        self.shown_as.unwrap_or(self.id)
    }

    /// Returns what followers see of it, or `None` while it is invisible.
    pub fn presence(&self) -> Option<Presence> {
        let status = self.status.clone()?;
        Some(Presence { connection: self.shown(), username: self.username.clone(), status })
    }
}

/// The custom status of a user, and when it was set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CustomStatus {
    /// `None` means that the user cleared it.
    pub text: Option<StatusText>,
    /// When it was set or cleared. The latest wins.
    pub since: Timestamp,
}

/// Everything that the other nodes report of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remote {
    /// Grows with every change, except after a loss in Redis.
    pub version: u64,
    /// Their connections, visible and invisible, sorted by the id that followers see.
    pub connections: Vec<RemoteConnection>,
    /// Ids, as followers see them, of the connections that linger. A new connection may take one over.
    pub lingering: Vec<ConnectionId>,
    /// Ids, as followers see them, of lingering connections that must no longer be shown.
    pub superseded: Vec<ConnectionId>,
    /// How the last connection of the user that ended on any node ended.
    pub last_exit: Option<Exit>,
    /// The newest custom status from any node.
    pub custom: CustomStatus,
}
