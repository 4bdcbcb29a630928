//! What the two sides of an outbox say about its connection.

use std::sync::Arc;

use bytestring::ByteString;

use crate::presence::id::{ConnectionId, Username};
use crate::presence::status::StatusText;

/// Why the server ends a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseRequest {
    /// The server stops.
    Drain,
    /// An operator or another part of the server disconnects the user.
    Disconnected,
    /// The same, with this close code and reason.
    DisconnectWith(Arc<(u16, Box<str>)>),
}

/// The properties of a connection at the time it opens.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The connection's id.
    pub connection: ConnectionId,
    /// The username in the connection's token.
    pub username: Option<Username>,
    /// The first status of the connection; `None` means invisible.
    pub status: Option<StatusText>,
}

/// A connection that other users see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VisibleConnection {
    /// The connection's id.
    pub connection: ConnectionId,
    /// The part of the connection's token that other users may read: JSON.
    pub info: Option<ByteString>,
}
