//! A user actor's duty to answer a command.

use super::sender::Address;
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;
use crate::presence::user::Followed;

/// A duty to answer a command once. A ticket that is dropped unanswered (because the actor was lost) tells the outbox so.
#[derive(Debug)]
pub struct Ticket {
    address: Address,
    /// The number of the pending reply.
    request: u32,
    user: UserId,
    /// The user that asks; `None` means nobody in particular.
    asker: Option<UserId>,
    /// How the user left, if the asker has looked that up.
    exit: Option<Exit>,
    /// A follow: the asker also receives later changes.
    follows: bool,
    answered: bool,
}

impl Ticket {
    /// Makes the ticket for `user`'s actor to answer the request of this number.
    pub fn new(address: Address, request: u32, user: UserId) -> Self {
        Self { address, request, user, asker: None, exit: None, follows: true, answered: false }
    }

    /// Adds the user that asks, and how the asked user left as far as the asker knows.
    #[must_use]
    pub fn asked_by(mut self, asker: UserId, exit: Option<Exit>) -> Self {
        (self.asker, self.exit) = (Some(asker), exit);
        self
    }

    /// Asks for the answer only, and not for later changes.
    #[must_use]
    pub fn without_changes(mut self) -> Self {
        self.follows = false;
        self
    }

    /// Returns whether the asker also wants later changes.
    pub fn follows(&self) -> bool {
        self.follows
    }

    /// Returns the user that asks.
    pub fn asker(&self) -> Option<UserId> {
        self.asker
    }

    /// Returns how the user left, as far as the asker knows.
    pub fn exit(&self) -> Option<Exit> {
        self.exit
    }

    /// Returns the user that has to answer.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Returns the address that the answer goes to.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Answers a follow.
    pub fn snapshot(mut self, followed: Followed) {
        self.answered = true;
        self.address.snapshot(self.request, followed);
    }

    /// Answers any other command.
    pub fn acknowledge(mut self) {
        self.answered = true;
        self.address.acknowledge(self.request, self.user);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.answered {
            self.address.abandon(self.request, self.user);
        }
    }
}
