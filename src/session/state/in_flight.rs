//! The command in flight: the one command of a session that waits for user actors, a look-up or a store.
//!
//! User actors can be lost before they answer. Then the session asks again, and refuses the command after
//! [`MAX_ATTEMPTS`].

use super::SessionState;
use crate::metrics::RefusalReason;
use crate::outbox::RequestTag;
use crate::presence::id::UserId;
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;
use crate::session::action::{Action, EngineRequest};
use crate::session::command::{Refusal, Reply};
use crate::session::protocol::CloseReason;

/// Maximum number of attempts to ask the users of one request when their actors are lost.
const MAX_ATTEMPTS: u8 = 3;

/// A command that waits for its result.
#[derive(Debug)]
pub(super) struct InFlight {
    /// The client's tag, for the reply.
    pub tag: RequestTag,
    /// How often user actors were asked.
    attempts: u8,
    /// What the command does.
    pub operation: Operation,
}

/// What a command in flight does, with the data that a retry or a refusal needs.
#[derive(Debug)]
pub(super) enum Operation {
    /// Looks usernames up. These users were named by id in the same follow.
    ResolveUsernames(Vec<UserId>),
    /// Follows users. These were not followed before.
    Follow(Vec<UserId>),
    /// Follows one user under the client's own name for it.
    Subscribe(UserId),
    /// Unfollows users.
    Unfollow,
    /// Sets the connection's status.
    SetStatus(Option<StatusText>),
    /// Attaches the connection to its user.
    Attach,
    /// Marks the user active, with the state text that the client gave.
    MarkActive(Option<StatusText>),
    /// Lists the visible connections of a user.
    ListConnections,
    /// Executes a call of a member.
    MemberCall,
    /// Logs a member in.
    LogIn,
    /// Sets the custom status of a member.
    SetCustomStatus(Option<StatusText>),
}

impl SessionState {
    /// Puts a command in flight and returns the number of its request.
    pub(super) fn begin(&mut self, tag: RequestTag, operation: Operation) -> u32 {
        self.last_request = self.last_request.wrapping_add(1);
        self.in_flight = Some(InFlight { tag, attempts: 1, operation });
        self.last_request
    }

    /// Asks these users again, because their actors were lost before they answered. Gives up after [`MAX_ATTEMPTS`].
    pub(super) fn retry(&mut self, users: &[UserId], now: Timestamp) -> Vec<Action> {
        let Some(in_flight) = self.in_flight.as_mut() else { return Vec::new() };
        if in_flight.attempts >= MAX_ATTEMPTS {
            return self.give_up(users, now);
        }
        in_flight.attempts += 1;
        let request = match &in_flight.operation {
            Operation::ResolveUsernames(_) | Operation::Attach | Operation::ListConnections => return Vec::new(),
            Operation::MemberCall | Operation::LogIn => EngineRequest::FollowListed(users.to_vec()),
            Operation::Follow(_) => EngineRequest::Follow(users.to_vec()),
            Operation::Subscribe(user) => EngineRequest::Subscribe(*user),
            Operation::SetCustomStatus(text) => EngineRequest::SetCustomStatus(text.clone()),
            Operation::Unfollow => EngineRequest::Unfollow(users.to_vec()),
            Operation::SetStatus(status) => EngineRequest::SetStatus(status.clone()),
            Operation::MarkActive(state) => EngineRequest::MarkActive(state.clone()),
        };
        vec![Action::Retry { id: self.last_request, request }]
    }

    /// Refuses the command in flight because these users do not answer, and reverts a follow. The command stays in
    /// flight until the outbox has sent the refusal. A login that fails ends the connection.
    fn give_up(&mut self, users: &[UserId], now: Timestamp) -> Vec<Action> {
        let Some(in_flight) = &mut self.in_flight else { return Vec::new() };
        let refusal = self.protocol.reply(&in_flight.tag, &Reply::Refused(Refusal::Busy));
        self.refusals.push(RefusalReason::Busy);
        let mut actions = vec![Action::RefuseInFlight(refusal)];
        match &mut in_flight.operation {
            Operation::Follow(fresh) => {
                let fresh = std::mem::take(fresh);
                self.follows.remove(fresh.iter().copied());
                actions.push(Action::UnfollowSilently(fresh));
            }
            Operation::Subscribe(user) => {
                let user = *user;
                self.follows.remove([user]);
                actions.push(Action::UnfollowSilently(vec![user]));
            }
            // Their actors still send changes. The client may repeat the unfollow.
            Operation::Unfollow => self.follows.restore(users),
            Operation::ResolveUsernames(_)
            | Operation::SetStatus(_)
            | Operation::Attach
            | Operation::MarkActive(_)
            | Operation::ListConnections
            | Operation::MemberCall
            | Operation::SetCustomStatus(_) => {}
            Operation::LogIn => actions.extend(self.close_because(CloseReason::Busy, now)),
        }
        actions
    }
}
