//! What is told: somebody came, or went.

use std::net::IpAddr;
use std::sync::Arc;

use uuid::Uuid;

use crate::presence::id::UserId;
use crate::presence::time::Timestamp;

/// One connection of a user came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// Whose it is; changes of one user are told in the order in which they were offered.
    pub user: UserId,
    /// The user's id as its own world writes it.
    pub account: Arc<str>,
    /// What happened.
    pub transition: Transition,
    /// What the client says it runs on, like `Web`; empty where it says nothing.
    pub platform: Arc<str>,
    /// Where the client is, as far as is known.
    pub client_ip: Option<IpAddr>,
    /// When it happened, by the time of day.
    pub at: Timestamp,
}

/// What happened to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transition {
    /// It logged in.
    Login,
    /// It logged out.
    Logout,
    /// It was lost.
    Disconnect(Loss),
}

/// How a connection was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Loss {
    /// The line closed.
    LinkClosed,
    /// Nothing was heard for too long.
    TimedOut,
}

/// A change on its way. The id stays the same however often it is tried, so that receivers can know it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Names the event.
    pub id: Uuid,
    /// What is told.
    pub change: StateChange,
}
