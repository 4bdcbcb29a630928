//! A user actor's duty to answer a command. Dropped unanswered (the actor was lost), it says so by itself.

use super::Address;
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;
use crate::presence::user::Followed;

/// To be answered once.
#[derive(Debug)]
pub struct Ticket {
    address: Address,
    request: u32,
    user: UserId,
    /// Who asks; none: nobody in particular.
    asker: Option<UserId>,
    /// How the user left, where the asker has looked that up.
    exit: Option<Exit>,
    /// Who asks is told later changes too, where it asks for a follow.
    follows: bool,
    answered: bool,
}

impl Ticket {
    /// The duty of `user`'s actor to answer the request of that number.
    pub fn new(address: Address, request: u32, user: UserId) -> Self {
        Self { address, request, user, asker: None, exit: None, follows: true, answered: false }
    }

    /// The same on behalf of somebody who knows how the user left.
    #[must_use]
    pub fn of(mut self, asker: UserId, exit: Option<Exit>) -> Self {
        (self.asker, self.exit) = (Some(asker), exit);
        self
    }

    /// The same, of which only the answer is wanted.
    #[must_use]
    pub fn once(mut self) -> Self {
        self.follows = false;
        self
    }

    /// Whether who asks is told later changes too.
    pub fn follows(&self) -> bool {
        self.follows
    }

    /// On whose behalf.
    pub fn asker(&self) -> Option<UserId> {
        self.asker
    }

    /// How the user left, as far as the asker knows.
    pub fn exit(&self) -> Option<Exit> {
        self.exit
    }

    /// Whose actor has to answer.
    pub fn user(&self) -> UserId {
        self.user
    }

    /// Who asks.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Answers a follow.
    pub fn snapshot(mut self, followed: Followed) {
        self.answered = true;
        self.address.snapshot(self.request, followed);
    }

    /// Answers anything else.
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
