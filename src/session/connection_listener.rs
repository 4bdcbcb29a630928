//! Who is told of every client that comes and goes, whatever the dialect: for those outside the server.

use std::net::IpAddr;
use std::sync::Arc;

use bytestring::ByteString;

use crate::presence::dialect::Dialect;
use crate::presence::id::{UserId, Username};
use crate::presence::time::Timestamp;

/// Is told of clients. Never waited for: what takes time has to be done elsewhere.
pub trait ConnectionListener: Send + Sync {
    /// A client came or went. Those of one user are told in their order.
    fn handle(&self, event: ConnectionEvent);
}

/// A client that came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionEvent {
    /// Whose it is.
    pub user: UserId,
    /// Who came.
    pub client: Arc<ClientInfo>,
    /// What happened.
    pub change: ConnectionChange,
    /// The time of day.
    pub at: Timestamp,
}

/// A client, as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientInfo {
    /// The user's id as its own world writes it.
    pub account: String,
    /// What the client said of itself: JSON, with `platform` where an account said on what it runs.
    pub info: Option<ByteString>,
    /// Where the client is, as far as is known.
    pub ip: Option<IpAddr>,
}

impl ClientInfo {
    /// A client of this world, of a user with this name.
    pub fn new(
        dialect: Dialect,
        user: UserId,
        name: Option<Username>,
        info: Option<ByteString>,
        ip: Option<IpAddr>,
    ) -> Self {
        let account = match dialect {
            // Here the name is for people, and may change.
            Dialect::Nakama => None,
            Dialect::Centrifugo | Dialect::Tencent => name,
        };
        Self { account: account.map_or_else(|| user.to_string(), |name| name.to_string()), info, ip }
    }
}

/// What happened to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionChange {
    /// It is part of its user.
    Connected,
    /// It said goodbye.
    LoggedOut,
    /// Its line was closed.
    Closed,
    /// It was silent for too long.
    TimedOut,
}
