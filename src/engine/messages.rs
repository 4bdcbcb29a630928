//! Every message of the engine, on one page.
//!
//! | receiver | message | sent by |
//! |---|---|---|
//! | the [`Supervisor`](super::supervisor::Supervisor) of a shard | [`ToShard`] | the [`Engine`](super::Engine), connection handles, user actors |
//! | a [`UserActor`](super::user::UserActor) | [`UserMessage`] | its supervisor, which counts them |
//! | a [`UserActor`](super::user::UserActor) | [`SetStatus`] | a connection handle, directly: the hot path |
//!
//! A message for one user is a [`ToUser`]. It names what the supervisor does when the user has no actor: [`IfAbsent`].
//! [`Mailbox::offer`](super::Mailbox::offer) refuses a message when the shard's mailbox is full;
//! [`Mailbox::deliver`](super::Mailbox::deliver) never refuses. A refused or dropped message drops its ticket or answer
//! channel, which tells the waiting caller.

use std::time::Duration;

use actix::{Message, Recipient};
use tokio::sync::{mpsc, oneshot};

use super::EngineError;
use super::inspection::{Selection, UserInspection};
use super::last_seen::ReadRecord;
use crate::outbox::{Address, CloseRequest, Ticket, VisibleConnection};
use crate::presence::diff::Snapshot;
use crate::presence::followers::Followers;
use crate::presence::general_status::Exit;
use crate::presence::id::{ConnectionId, UserId};
use crate::presence::last_seen::LastSeen;
use crate::presence::status::StatusText;
use crate::presence::subscriptions::DeliveredStatus;
use crate::presence::time::Timestamp;

/// Gets the way to the user's actor once the connection is part of the user, or the reason for the refusal.
pub type AttachAnswer = oneshot::Sender<Result<Recipient<SetStatus>, EngineError>>;

/// A message to the supervisor of a shard.
pub enum ToShard {
    /// Routes a message to one user.
    ToUser(ToUser),
    /// Routes a message to several users.
    ToUsers { users: Vec<UserId>, if_absent: IfAbsent, message: SharedMessage },
    /// Routes a message to a portion of the shard's users.
    ToAll(Portion, SharedMessage),
    /// Follows the tickets' users. Starts absent actors within the quota for followers; past it the ticket is dropped.
    Follow(Vec<Ticket>),
    /// Ends follows. The supervisor acknowledges the tickets of absent users.
    Unfollow(Vec<Ticket>),
    /// Follows one user for a client that gets whole presences, with the user's stored record. Reads the record again
    /// when users were forgotten after the read. Starts an absent actor within the quota for followers.
    Subscribe { ticket: Ticket, record: ReadRecord },
    /// Forgets when these users were seen. The store has forgotten them already. Absent users need nothing.
    ForgetLastSeen(Vec<UserId>),
    /// What other nodes have of a user has changed, or is known for the first time. Dropped for absent users.
    RemoteChanged(UserId),
    /// A user actor has nothing left to remember. It retires when it has handled every message that was routed to it.
    /// Never refused.
    Idle {
        user: UserId,
        /// Number of [`UserMessage`]s that the actor has handled.
        handled: u64,
    },
    /// A panic ended a user actor. The supervisor starts another one. Never refused.
    Lost(Box<LostActor>),
}

/// A message to one user, routed by the supervisor of its shard.
pub struct ToUser {
    pub user: UserId,
    pub if_absent: IfAbsent,
    pub message: UserMessage,
}

/// What the supervisor does with a message when the user has no actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IfAbsent {
    /// Starts an actor within the shard's quota, or refuses the message.
    StartForConnection,
    /// Starts an actor within the quota for followers, or refuses the message. That quota leaves room for connections.
    StartForFollower,
    /// Acknowledges the message's ticket: there is nothing to end.
    Acknowledge,
    /// Drops the message: an absent user has nothing to change and nothing to tell.
    Drop,
}

/// A message to the actor of one user.
pub enum UserMessage {
    /// Adds a connection, unless the user has `max_others` others in the same dialect. `StartForConnection`.
    Attach { address: Address, max_others: usize, answer: AttachAnswer },
    /// Removes a connection, which may linger. `Drop`. Never refused.
    Detach { connection: ConnectionId, exit: Exit, linger: Duration },
    /// Sets a connection's status after its actor was replaced. `Drop`: the session asks again.
    SetStatus(SetStatus),
    /// Sets the user's custom status. `Drop`: the session asks again.
    SetCustomStatus(Option<StatusText>, Ticket),
    /// The user did something at this time of day, as the server API reports. `Drop`: the store has it.
    MarkActive { at: Timestamp, state: Option<StatusText> },
    /// Answers with a snapshot and delivers later changes. `StartForFollower`.
    Follow(Ticket),
    /// Like `Follow`, with the stored record of the user. `StartForFollower`.
    Subscribe(Ticket, LastSeen),
    /// Ends a follow. `Acknowledge`.
    Unfollow(Ticket),
    /// Hides the user from these addresses or shows it to them. `Drop`.
    SetHidden { addresses: Vec<Address>, hide: bool },
    /// Closes the selected connections. `Drop`.
    Disconnect(Selection, CloseRequest),
    /// Asks for the addresses of the user's connections. `Drop`: there are none.
    Addresses(oneshot::Sender<Vec<Address>>),
    /// Asks for the connections that `asker` sees. `Drop`: none is visible on this node.
    VisibleConnections { asker: Option<UserId>, answer: oneshot::Sender<Vec<VisibleConnection>> },
    /// One of the messages that go to several users.
    Shared(SharedMessage),
    /// What other nodes have of the user has changed.
    RemoteChanged,
    /// Forgets when the user was seen.
    ForgetLastSeen,
    /// Stops the actor: nobody needs it.
    Retire,
    /// Panics, so that a test sees the recovery.
    #[cfg(test)]
    InjectPanic,
}

/// A message that goes to several users at once. Dropped for absent users unless stated otherwise.
#[derive(Clone)]
pub enum SharedMessage {
    /// Ends the follows of a session that has ended, or of a device. Never refused.
    UnfollowSilently(Address),
    /// Delivers later changes to the address, without an answer. Starts absent actors for followers. Never refused.
    FollowSilently { address: Address, follower: UserId },
    /// Ends a follow and reports the status that was delivered last. Never refused.
    UnfollowAndReport(Address, mpsc::UnboundedSender<(UserId, DeliveredStatus)>),
    /// Asks what the user shows to `asker`; `None` is an asker that sees everything visible.
    Snapshot { asker: Option<UserId>, answer: mpsc::UnboundedSender<Snapshot> },
    /// Asks for everything about the user.
    Inspect(mpsc::UnboundedSender<(UserId, UserInspection)>),
    /// Answers after every earlier message has been handled. Never refused.
    Settle(mpsc::UnboundedSender<()>),
    /// Closes every connection of the user. Never refused.
    Close(CloseRequest),
}

/// One of several equal portions of all users, chosen by the user id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Portion {
    /// Counts from 0.
    pub index: u32,
    /// Number of portions.
    pub count: u32,
}

impl Portion {
    /// All users.
    pub const ALL: Self = Self { index: 0, count: 1 };

    /// Whether the user belongs to this portion.
    pub fn includes(self, user: UserId) -> bool {
        u32::from(user.uuid().as_bytes()[15]) % self.count == self.index
    }
}

/// What a panic left of a user actor. See [`ToShard::Lost`].
pub struct LostActor {
    /// The snapshot that the followers got last.
    pub published: Snapshot,
    pub followers: Vec<Address>,
    /// Followers from which the user is hidden.
    pub hidden: Option<Box<Followers<Address>>>,
    /// The user's connections, which know what they show.
    pub connections: Vec<Address>,
}

/// A connection changes what it shows. A session sends it straight to the user's actor, which skips the supervisor.
pub struct SetStatus {
    pub connection: ConnectionId,
    pub change: StatusChange,
    pub ticket: Ticket,
}

/// A change that a connection reports.
pub enum StatusChange {
    /// The connection shows this status; `None` hides it.
    Shown(Option<StatusText>),
    /// The user did something at this time of day, and the connection shows this state.
    MarkedActive(Timestamp, Option<StatusText>),
}

impl UserMessage {
    /// Tells the sender that the user needs nothing: see [`IfAbsent::Acknowledge`].
    pub fn acknowledge(self) {
        if let Self::Unfollow(ticket) = self {
            ticket.acknowledge();
        }
    }

    /// Tells the sender that the shard starts no more actors. A dropped ticket does so by itself.
    pub fn refuse(self, error: EngineError) {
        if let Self::Attach { answer, .. } = self {
            // The asker may have gone.
            drop(answer.send(Err(error)));
        } else if let Self::Shared(SharedMessage::FollowSilently { .. }) = self {
            log::warn!("a device does not follow every user that its member follows: {error}");
        }
    }
}

impl Message for UserMessage {
    type Result = ();
}

impl Message for SetStatus {
    type Result = ();
}
