//! The listener that learns of every client that connects and disconnects, in any dialect. The webhook bridge is one.
//!
//! Sessions report to it in [`actor::connection_events`](super::actor).

use std::net::IpAddr;
use std::sync::Arc;

use bytestring::ByteString;

use crate::presence::dialect::Dialect;
use crate::presence::id::{UserId, Username};
use crate::presence::time::Timestamp;

/// Receives connection events. Sessions do not wait for it, so it must not block.
pub trait ConnectionListener: Send + Sync {
    /// Handles an event. The events of one user come in order.
    fn handle(&self, event: ConnectionEvent);
}

/// A client that connected or disconnected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionEvent {
    /// The client's user.
    pub user: UserId,
    /// The client.
    pub client: Arc<ClientInfo>,
    /// What happened.
    pub change: ConnectionChange,
    /// The time of day.
    pub at: Timestamp,
}

/// What is known about a client when it connects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientInfo {
    /// The user's id as the client's dialect writes it.
    pub native_id: String,
    /// What the client tells about itself: JSON, with `platform` if a member named its platform.
    pub info: Option<ByteString>,
    /// The client's IP address, if it is known.
    pub ip: Option<IpAddr>,
}

impl ClientInfo {
    /// Returns a client of this dialect, for a user with this name.
    pub fn new(
        dialect: Dialect,
        user: UserId,
        name: Option<Username>,
        info: Option<ByteString>,
        ip: Option<IpAddr>,
    ) -> Self {
        let name = match dialect {
            // A username in Nakama is for display, and may change.
            Dialect::Nakama => None,
            Dialect::Centrifugo | Dialect::Tencent => name,
        };
        Self { native_id: name.map_or_else(|| user.to_string(), |name| name.to_string()), info, ip }
    }
}

/// What happened to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionChange {
    /// The connection belongs to its user from now on.
    Connected,
    /// The client logged out.
    LoggedOut,
    /// The connection was closed or lost.
    Closed,
    /// The client did not answer pings.
    TimedOut,
}
