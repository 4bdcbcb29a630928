//! A user actor's duty to answer a command. Dropped unanswered (the actor was lost), it says so by itself.

use super::Address;
use crate::presence::id::UserId;
use crate::presence::user::Followed;

/// To be answered once.
#[derive(Debug)]
pub struct Ticket {
    address: Address,
    request: u32,
    user: UserId,
    answered: bool,
}

impl Ticket {
    /// The duty of `user`'s actor to answer the request of that number.
    pub fn new(address: Address, request: u32, user: UserId) -> Self {
        Self { address, request, user, answered: false }
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
