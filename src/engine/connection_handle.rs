//! The attachment of one connection to its user, as a drop guard.

use std::time::Duration;

use actix::Recipient;

use super::messages::{IfAbsent, SetStatus, StatusChange, UserMessage};
use super::{Engine, EngineError, mailbox};
use crate::outbox::{Address, Ticket};
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;
use crate::presence::status::StatusText;

/// Keeps a connection attached to its user. Dropping it removes the connection and notifies the followers. So however a
/// session ends, no connection stays behind.
pub struct ConnectionHandle {
    engine: Engine,
    user: UserId,
    address: Address,
    /// The actor that accepted the connection. `None` while the attachment is pending.
    actor: Option<Recipient<SetStatus>>,
    /// How the connection ends.
    exit: Exit,
    /// How long the presence lingers after a loss.
    linger: Duration,
    /// Dropped after the connection has been detached.
    guard: Option<Box<dyn Send>>,
}

impl ConnectionHandle {
    /// A handle with a pending attachment. Dropping it takes the attachment back.
    pub(super) fn pending(engine: Engine, user: UserId, address: Address) -> Self {
        Self { engine, user, address, actor: None, exit: Exit::Lost, linger: Duration::ZERO, guard: None }
    }

    pub(super) fn with(mut self, actor: Recipient<SetStatus>) -> Self {
        self.actor = Some(actor);
        self
    }

    /// Keeps a guard until the connection has been detached.
    #[must_use]
    pub fn holding(mut self, guard: impl Send + 'static) -> Self {
        self.guard = Some(Box::new(guard));
        self
    }

    /// Notes that the user logs out, so the end of the connection is no loss.
    pub fn log_out(&mut self) {
        self.exit = Exit::LoggedOut;
    }

    /// Sets how long the presence lingers after a loss, because the client may come back.
    pub fn set_linger(&mut self, span: Duration) {
        self.linger = span;
    }

    /// How the connection ends, if it ends now.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Sets the custom status, which all Tencent connections of the user show. The outbox gets the acknowledgement
    /// under `request` before the change.
    pub fn set_custom(&self, text: Option<StatusText>, request: u32) -> Result<(), EngineError> {
        let ticket = Ticket::new(self.address.clone(), request, self.user);
        self.engine.offer(self.user, IfAbsent::Drop, UserMessage::SetCustomStatus(text, ticket))
    }

    /// The user of this connection.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// The address of this connection.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Sets the status that the connection shows; `None` hides it. The outbox gets the acknowledgement under `request`
    /// before the change.
    pub fn set_status(&self, status: Option<StatusText>, request: u32) -> Result<(), EngineError> {
        self.address.set_status(status.clone());
        self.change(StatusChange::Shown(status), request)
    }

    /// Records that the user is active now. The connection shows the state, if one is given. The outbox gets the
    /// acknowledgement under `request` before the change.
    pub fn mark_active(&self, state: Option<StatusText>, request: u32) -> Result<(), EngineError> {
        let at = self.engine.record_active(self.user, state.clone())?;
        if state.is_some() {
            self.address.set_status(state.clone());
        }
        self.change(StatusChange::MarkedActive(at, state), request)
    }

    fn change(&self, change: StatusChange, request: u32) -> Result<(), EngineError> {
        let ticket = Ticket::new(self.address.clone(), request, self.user);
        let update = SetStatus { connection: self.address.connection(), change, ticket };
        match &self.actor {
            Some(actor) if actor.connected() => {
                mailbox::send_to(actor, update);
                Ok(())
            }
            // The actor was replaced. The supervisor knows the new one.
            Some(_) | None => self.engine.offer(self.user, IfAbsent::Drop, UserMessage::SetStatus(update)),
        }
    }

    /// Ends all follows of a session that ends.
    pub fn leave(&self, users: Vec<UserId>) {
        self.engine.unfollow_silently(&users, &self.address);
    }
}

impl Drop for ConnectionHandle {
    fn drop(&mut self) {
        self.address.end();
        let linger = if self.exit == Exit::Lost { self.linger } else { Duration::ZERO };
        let detach = UserMessage::Detach { connection: self.address.connection(), exit: self.exit, linger };
        self.engine.deliver(self.user, detach);
    }
}
