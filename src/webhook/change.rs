//! The events of which webhooks tell: a connection of a user opened or closed.

use std::net::IpAddr;
use std::sync::Arc;

use uuid::Uuid;

use crate::presence::id::UserId;
use crate::presence::time::Timestamp;

/// One connection of a user opened or closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateChange {
    /// The user. Receivers get the changes of one user in the order in which they were offered.
    pub user: UserId,
    /// The user's id as its own dialect writes it.
    pub native_id: Arc<str>,
    /// What happened.
    pub transition: Transition,
    /// Platform that the client names, like `Web`. Empty when it names none.
    pub platform: Arc<str>,
    /// IP address of the client, if known.
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
    /// The connection closed.
    LinkClosed,
    /// The client was silent for too long.
    TimedOut,
}

/// A change on its way to a receiver. The id is the same for every attempt, so that receivers can recognise
/// repetitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookEvent {
    /// Id of the event.
    pub id: Uuid,
    /// The change.
    pub change: StateChange,
}
