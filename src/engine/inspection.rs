//! What the server API may know of a user: all connections, including the invisible ones.

use bytestring::ByteString;

use crate::outbox::Address;
use crate::presence::dialect::Dialect;
use crate::presence::general_status::GeneralStatus;
use crate::presence::id::{ConnectionId, Username};
use crate::presence::status::StatusText;
use crate::presence::user::UserPresence;

/// Everything about one user.
#[derive(Clone, Debug)]
pub struct UserInspection {
    /// The status over all connections.
    pub general: GeneralStatus,
    /// All connections. The one that changed last is at the end.
    pub connections: Vec<ConnectionInspection>,
}

/// Everything about one connection.
#[derive(Clone, Debug)]
pub struct ConnectionInspection {
    /// The id under which others see it.
    pub connection: ConnectionId,
    /// The name with which it was opened.
    pub username: Option<Username>,
    /// The family of wire formats that it uses.
    pub dialect: Dialect,
    /// What it shows; `None` means that it is connected but invisible.
    pub status: Option<StatusText>,
    /// What the client says of itself when it connects: JSON.
    pub info: Option<ByteString>,
}

impl UserInspection {
    pub(super) fn of(presence: &UserPresence<Address>) -> Self {
        let here = presence.connections().iter().map(|connection| ConnectionInspection {
            connection: presence.shown(connection.id),
            username: connection.username.clone(),
            dialect: connection.address.dialect(),
            status: connection.status.clone(),
            info: connection.address.info(),
        });
        let remote = presence.detached().filter_map(|connection| {
            Some(ConnectionInspection {
                connection: connection.shown(),
                username: connection.username.clone(),
                dialect: connection.dialect?,
                status: connection.status.clone(),
                info: connection.info.clone(),
            })
        });
        Self { general: presence.general_status(), connections: remote.chain(here).collect() }
    }
}

/// A selection of a user's connections. The default selects all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only this connection; `None` means all.
    pub only: Option<ConnectionId>,
    /// Connections that are not selected.
    pub except: Vec<ConnectionId>,
}

impl Selection {
    /// Whether a connection is selected. Others may see it under the id of another: `shown`.
    pub fn includes(&self, connection: ConnectionId, shown: ConnectionId) -> bool {
        let is_it = |id: ConnectionId| id == connection || id == shown;
        self.only.is_none_or(is_it) && !self.except.iter().copied().any(is_it)
    }
}
