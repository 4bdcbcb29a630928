//! Routes a message to many users in strides, so that no other user of the shard waits for all of them.
//!
//! The deliveries of one user to many followers are in [`fan_out`](super::fan_out).

use std::pin::Pin;
use std::task::{self, Poll, ready};
use std::vec;

use actix::fut::ActorFuture;
use actix::{Actor, AsyncContext as _, Context};

use super::messages::{IfAbsent, SharedMessage, UserMessage};
use crate::outbox::Ticket;
use crate::presence::id::UserId;

/// Users in one stride. Each may need an actor of its own, which takes some microseconds.
const STRIDE: usize = 64;

/// Knows the actor of each user of a shard.
pub(super) trait Router: Actor<Context = Context<Self>> {
    /// Sends a message to a user.
    fn route(&mut self, user: UserId, if_absent: IfAbsent, message: UserMessage);
}

/// A message to several users of a shard.
pub(super) enum UserBatch {
    /// Follows; each ticket names its user.
    Follow(vec::IntoIter<Ticket>),
    /// Unfollows; each ticket names its user.
    Unfollow(vec::IntoIter<Ticket>),
    /// The same message to each user.
    Shared { users: vec::IntoIter<UserId>, if_absent: IfAbsent, message: SharedMessage },
}

impl UserBatch {
    fn pop(&mut self) -> Option<(UserId, IfAbsent, UserMessage)> {
        match self {
            Self::Follow(tickets) => {
                tickets.next().map(|ticket| (ticket.user(), IfAbsent::StartForFollower, UserMessage::Follow(ticket)))
            }
            Self::Unfollow(tickets) => {
                tickets.next().map(|ticket| (ticket.user(), IfAbsent::Acknowledge, UserMessage::Unfollow(ticket)))
            }
            Self::Shared { users, if_absent, message } => {
                users.next().map(|user| (user, *if_absent, UserMessage::Shared(message.clone())))
            }
        }
    }

    /// Routes one stride. Returns whether users are left.
    fn route_stride(&mut self, router: &mut impl Router) -> bool {
        for _ in 0..STRIDE {
            let Some((user, if_absent, message)) = self.pop() else { return false };
            router.route(user, if_absent, message);
        }
        true
    }

    /// Routes the batch. The router handles no later message before the last user has this one, which keeps the order;
    /// the user actors of its thread run between the strides.
    pub(super) fn route<R: Router>(mut self, router: &mut R, context: &mut Context<R>) {
        if self.route_stride(router) {
            context.wait(Strides { batch: self, yielding: yield_now() });
        }
    }
}

/// A batch with strides left.
struct Strides {
    batch: UserBatch,
    /// Yields to the other tasks of this thread.
    yielding: Pin<Box<dyn Future<Output = ()>>>,
}

fn yield_now() -> Pin<Box<dyn Future<Output = ()>>> {
    // A task that wakes itself would run up to thirty times before the tasks that other threads woke.
    Box::pin(tokio::task::yield_now())
}

impl<R: Router> ActorFuture<R> for Strides {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, router: &mut R, _: &mut Context<R>, task: &mut task::Context<'_>) -> Poll<()> {
        loop {
            ready!(self.yielding.as_mut().poll(task));
            if !self.batch.route_stride(router) {
                return Poll::Ready(());
            }
            self.yielding = yield_now();
        }
    }
}
