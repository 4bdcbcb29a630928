//! One connection's hold on its user.

use std::time::Duration;

use actix::Addr;

use super::messages::{Detach, Leave, SetCustom, SetStatus, StatusChange};
use super::user::UserActor;
use super::{Engine, EngineError, mailbox};
use crate::outbox::{Address, Ticket};
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;
use crate::presence::status::StatusText;

/// While it lives, the connection is part of its user; dropped, the connection is gone and its followers are told.
/// That holds however the session ends, so there are no ghosts.
pub struct ConnectionHandle {
    engine: Engine,
    user: UserId,
    address: Address,
    /// The user's actor, as long as it is the one that was attached to.
    actor: Option<Addr<UserActor>>,
    /// How the connection ends.
    exit: Exit,
    /// For so long the connection is shown on.
    stay: Duration,
    /// Dropped after the connection has been detached.
    guard: Option<Box<dyn Send>>,
}

impl ConnectionHandle {
    /// A hold that is being asked for; dropped before it is granted, it takes the asking back.
    pub(super) fn pending(engine: Engine, user: UserId, address: Address) -> Self {
        Self { engine, user, address, actor: None, exit: Exit::Lost, stay: Duration::ZERO, guard: None }
    }

    pub(super) fn with(mut self, actor: Addr<UserActor>) -> Self {
        self.actor = Some(actor);
        self
    }

    /// Keeps a guard until the connection has been detached.
    #[must_use]
    pub fn holding(mut self, guard: impl Send + 'static) -> Self {
        self.guard = Some(Box::new(guard));
        self
    }

    /// The connection ends because the user says goodbye.
    pub fn log_out(&mut self) {
        self.exit = Exit::LoggedOut;
    }

    /// The connection ends in a way after which it is shown on for `span`: the client may come back.
    pub fn stay(&mut self, span: Duration) {
        self.stay = span;
    }

    /// How the connection ends, if it ends now.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Has all devices of the account show this text. The acknowledgement goes to the outbox under `request`, before the
    /// change does.
    pub fn set_custom(&self, text: Option<StatusText>, request: u32) -> Result<(), EngineError> {
        let ticket = Ticket::new(self.address.clone(), request, self.user);
        self.engine.supervisor(self.user).offer(SetCustom { text, ticket })
    }

    /// The user this connection belongs to.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Where the connection is reached.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Has the user show this status for the connection; `None` hides it. The acknowledgement goes to the outbox under
    /// `request`, before the change does.
    pub fn set_status(&self, status: Option<StatusText>, request: u32) -> Result<(), EngineError> {
        self.address.set_status(status.clone());
        self.change(StatusChange::Shown(status), request)
    }

    /// Remembers that the user did something just now, and what it says of itself with it: the connection shows that. The
    /// acknowledgement goes to the outbox under `request`, before the change does.
    pub fn mark_active(&self, state: Option<StatusText>, request: u32) -> Result<(), EngineError> {
        let at = self.engine.note_active(self.user, state.clone())?;
        if state.is_some() {
            self.address.set_status(state.clone());
        }
        self.change(StatusChange::Acted(at, state), request)
    }

    fn change(&self, change: StatusChange, request: u32) -> Result<(), EngineError> {
        let ticket = Ticket::new(self.address.clone(), request, self.user);
        let update = SetStatus { connection: self.address.connection(), change, ticket };
        match &self.actor {
            Some(actor) if actor.connected() => {
                mailbox::send(actor, update);
                Ok(())
            }
            // The actor was replaced: the supervisor knows the other.
            Some(_) | None => self.engine.supervisor(self.user).offer(update),
        }
    }

    /// The session ends and follows these users no longer.
    pub fn leave(&self, users: Vec<UserId>) {
        for (supervisor, users) in self.engine.by_shard(users.into_iter().map(|user| (user, user))) {
            supervisor.deliver(Leave { users, address: self.address.clone() });
        }
    }
}

impl Drop for ConnectionHandle {
    fn drop(&mut self) {
        self.address.end();
        let stay = if self.exit == Exit::Lost { self.stay } else { Duration::ZERO };
        let detach = Detach { user: self.user, address: self.address.clone(), exit: self.exit, stay };
        self.engine.supervisor(self.user).deliver(detach);
    }
}
