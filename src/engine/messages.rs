//! Every message of the engine, on one page.

use std::time::Duration;

use actix::{Addr, Message};
use tokio::sync::{mpsc, oneshot};

use super::EngineError;
use super::inspection::{Selection, UserInspection};
use super::last_seen::Record;
use super::user::UserActor;
use crate::outbox::{Address, CloseRequest, Ticket, VisibleConnection};
use crate::presence::diff::Snapshot;
use crate::presence::followers::Followers;
use crate::presence::general_status::Exit;
use crate::presence::id::{ConnectionId, UserId};
use crate::presence::last_seen::LastSeen;
use crate::presence::status::StatusText;
use crate::presence::subscriptions::DeliveredStatus;
use crate::presence::time::Timestamp;

// ---- to a supervisor ----

/// A connection opened.
pub struct Attach {
    pub user: UserId,
    pub address: Address,
    /// With so many others of its dialect it is refused.
    pub most: usize,
    /// Gets the user's actor once the connection is part of it.
    pub answer: oneshot::Sender<Result<Addr<UserActor>, EngineError>>,
}

/// A connection ended. Never refused.
pub struct Detach {
    pub user: UserId,
    pub address: Address,
    pub exit: Exit,
    /// For so long it is shown on.
    pub stay: Duration,
}

/// Somebody follows these users.
pub struct Follow {
    pub tickets: Vec<Ticket>,
}

/// Somebody no longer follows these users.
pub struct Unfollow {
    pub tickets: Vec<Ticket>,
}

/// A session ended that followed these users. Never refused.
pub struct Leave {
    pub users: Vec<UserId>,
    pub address: Address,
}

/// Somebody asks what these users show. Closing the channel ends the answer.
pub struct View {
    pub users: Vec<UserId>,
    /// To whom users may look absent; none: to nobody.
    pub asker: Option<UserId>,
    pub answer: mpsc::UnboundedSender<Snapshot>,
}

/// An account gives itself a text.
pub struct SetCustom {
    pub text: Option<StatusText>,
    pub ticket: Ticket,
}

/// Somebody asks for the addresses of a user's connections.
pub struct Addresses {
    pub user: UserId,
    pub answer: oneshot::Sender<Vec<Address>>,
}

/// A user is to look absent to these, or to be seen by them again.
pub struct SetHidden {
    pub user: UserId,
    pub addresses: Vec<Address>,
    pub hide: bool,
}

/// Devices of an account follow these users, who need not answer. Never refused.
pub struct FollowSilently {
    pub users: Vec<UserId>,
    pub address: Address,
    pub watcher: UserId,
}

/// The last device of an account ends; each user says what it has been told last. Never refused.
pub struct LeaveMember {
    pub users: Vec<UserId>,
    pub address: Address,
    pub answer: mpsc::UnboundedSender<(UserId, DeliveredStatus)>,
}

/// A user did something, as the server's own side has it.
pub struct MarkActive {
    pub user: UserId,
    /// The time of day.
    pub at: Timestamp,
    /// What it says of itself.
    pub state: Option<StatusText>,
}

/// Somebody who is told whole presences follows a user.
pub struct Subscribe {
    pub ticket: Ticket,
    /// What the store knew of the user.
    pub record: Record,
}

/// What is known of when these users were seen is to be forgotten.
pub struct Forget(pub Vec<UserId>);

/// Somebody asks for a user's visible connections.
pub struct Show {
    pub user: UserId,
    /// To whom the user may look absent; none: to nobody.
    pub asker: Option<UserId>,
    pub answer: oneshot::Sender<Vec<VisibleConnection>>,
}

/// Somebody asks for everything about these users. Closing the channel ends the answer.
pub struct Inspect {
    pub users: Vec<UserId>,
    pub answer: mpsc::UnboundedSender<(UserId, UserInspection)>,
}

/// Some connections of a user are to be closed.
pub struct Dismiss {
    pub user: UserId,
    pub selection: Selection,
    pub close_request: CloseRequest,
}

/// Every connection of some users is to be closed.
pub struct CloseAll {
    /// Of those whose ids fall into this one.
    pub portion: u32,
    /// Of so many.
    pub portions: u32,
    pub close_request: CloseRequest,
}

/// Each user says that everything before this has been handled. Closing the channel ends the answer.
pub struct Settle(pub mpsc::UnboundedSender<()>);

/// A user actor has nothing left to remember.
pub struct Idle {
    pub user: UserId,
    /// How many of the supervisor's messages it has handled: with others under way it is not idle.
    pub handled: u64,
}

/// A user actor was lost to a panic.
pub struct Lost {
    /// What its followers were told last.
    pub told: Snapshot,
    pub followers: Vec<Address>,
    /// Who follows, but is not to see the user.
    pub hidden: Option<Box<Followers<Address>>>,
    /// Its connections, to be asked what they show.
    pub connections: Vec<Address>,
}

/// Has a user's actor panic.
#[cfg(test)]
pub struct InjectPanic(pub UserId);

// ---- to a user actor ----

/// What a user is asked that changes nothing. Who may not see everything is named.
pub enum Question {
    View(Option<UserId>, mpsc::UnboundedSender<Snapshot>),
    Show(Option<UserId>, oneshot::Sender<Vec<VisibleConnection>>),
    Inspect(mpsc::UnboundedSender<(UserId, UserInspection)>),
    Addresses(oneshot::Sender<Vec<Address>>),
    Settle(mpsc::UnboundedSender<()>),
}

/// What the supervisor routes to a user.
pub enum Routed {
    Attach {
        address: Address,
        most: usize,
        answer: oneshot::Sender<Result<Addr<UserActor>, EngineError>>,
    },
    Detach {
        connection: ConnectionId,
        exit: Exit,
        stay: Duration,
    },
    /// What other nodes have of the user has changed.
    RemoteChanged,
    Follow(Ticket),
    Unfollow(Ticket),
    Leave(Address),
    FollowSilently(Address, UserId),
    LeaveMember(Address, mpsc::UnboundedSender<(UserId, DeliveredStatus)>),
    SetCustom(Option<StatusText>, Ticket),
    Conceal(Vec<Address>),
    Reveal(Vec<Address>),
    Acted {
        at: Timestamp,
        state: Option<StatusText>,
    },
    Subscribe(Ticket, LastSeen),
    Forget,
    Ask(Question),
    Dismiss(Selection, CloseRequest),
    Close(CloseRequest),
    /// Nobody needs the actor: stop.
    Retire,
    SetStatus(SetStatus),
    /// Panic, to see that nobody notices.
    #[cfg(test)]
    InjectPanic,
}

impl Message for Routed {
    type Result = ();
}

/// A connection sets its status; comes straight from its session, or by the supervisor after the actor was replaced.
pub struct SetStatus {
    pub connection: ConnectionId,
    pub change: StatusChange,
    pub ticket: Ticket,
}

/// What a connection says.
pub enum StatusChange {
    /// It shows this; `None` hides it.
    Shown(Option<StatusText>),
    /// Its user did something at this time of day, and says this of itself.
    Acted(Timestamp, Option<StatusText>),
}

impl Message for SetStatus {
    type Result = ();
}
