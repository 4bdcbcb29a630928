//! What the server's own side may know of a user: all connections, the invisible ones too.

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
    /// Over all connections.
    pub general: GeneralStatus,
    /// The one that changed last is at the end.
    pub devices: Vec<Device>,
}

/// One connection of a user.
#[derive(Clone, Debug)]
pub struct Device {
    /// Which one.
    pub connection: ConnectionId,
    /// The name it was opened with.
    pub username: Option<Username>,
    /// The world it comes from.
    pub dialect: Dialect,
    /// `None`: connected but invisible.
    pub status: Option<StatusText>,
    /// What it says of itself when it opens: JSON.
    pub info: Option<ByteString>,
}

impl UserInspection {
    pub(super) fn of(presence: &UserPresence<Address>) -> Self {
        let here = presence.connections().iter().map(|connection| Device {
            connection: presence.shown(connection.id),
            username: connection.username.clone(),
            dialect: connection.address.dialect(),
            status: connection.status.clone(),
            info: connection.address.info(),
        });
        let elsewhere = presence.detached().filter_map(|connection| {
            Some(Device {
                connection: connection.shown(),
                username: connection.username.clone(),
                dialect: connection.dialect?,
                status: connection.status.clone(),
                info: connection.info.clone(),
            })
        });
        Self { general: presence.general_status(), devices: elsewhere.chain(here).collect() }
    }
}

/// Some of a user's connections.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// This one; none: all.
    pub only: Option<ConnectionId>,
    /// But not these.
    pub except: Vec<ConnectionId>,
}

impl Selection {
    /// Whether this connection, which may be shown under the id of another, is among them.
    pub fn includes(&self, connection: ConnectionId, shown: ConnectionId) -> bool {
        let is_it = |id: ConnectionId| id == connection || id == shown;
        self.only.is_none_or(is_it) && !self.except.iter().copied().any(is_it)
    }
}
