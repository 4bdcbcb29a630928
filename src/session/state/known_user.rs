//! Rules of a session with a known user: its start, and the commands of Nakama's clients (follow by id or username, set
//! the connection's status).
//!
//! Clients of the other roles also unfollow. Their follows are in [`super::in_band`] and [`super::member`].

use super::in_flight::{InFlight, Operation};
use super::role::Role;
use super::{Phase, SessionState};
use crate::config::{LimitsConfig, SessionConfig};
use crate::outbox::RequestTag;
use crate::presence::follows::Added;
use crate::presence::id::{UserId, Username};
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;
use crate::session::action::Action;
use crate::session::command::{Refusal, Reply};
use crate::session::protocol::Protocol;

impl SessionState {
    /// Starts a session of `user`, which the HTTP request authenticated.
    pub fn for_known_user(
        protocol: &'static dyn Protocol,
        user: UserId,
        session: &SessionConfig,
        limits: &LimitsConfig,
        now: Timestamp,
    ) -> Self {
        Self::new(protocol, Role::KnownUser, user, session, limits, now)
    }

    pub(super) fn set_status(&mut self, tag: RequestTag, status: Option<StatusText>) -> Vec<Action> {
        let done = self.protocol.reply(&tag, &Reply::Done);
        let id = self.begin(tag, Operation::SetStatus(status.clone()));
        vec![Action::SetStatus { id, status, done }]
    }

    pub(super) fn follow_by_name(
        &mut self,
        tag: RequestTag,
        users: Vec<UserId>,
        mut usernames: Vec<Username>,
    ) -> Vec<Action> {
        usernames.sort_unstable();
        usernames.dedup();
        // Each name costs a look-up, even if no user has it.
        match self.follows.may_ask(users.len() + usernames.len()) {
            Ok(()) => {
                self.begin(tag, Operation::ResolveUsernames(users));
                vec![Action::ResolveUsernames(usernames)]
            }
            Err(exceeded) => vec![self.reply(&tag, &Reply::Refused(Refusal::TooManyFollows(exceeded)))],
        }
    }

    /// Takes the result of a look-up of usernames. `None` means that the look-up failed.
    pub fn usernames_resolved(&mut self, found: Option<Vec<UserId>>, now: Timestamp) -> Vec<Action> {
        let Some(InFlight { tag, operation: Operation::ResolveUsernames(mut users), .. }) = self.in_flight.take()
        else {
            return Vec::new();
        };
        if self.phase != Phase::Open {
            return Vec::new();
        }
        let mut actions = match found {
            Some(found) => {
                users.extend(found);
                self.follow(tag, users)
            }
            None => vec![self.reply(&tag, &Reply::Refused(Refusal::Busy))],
        };
        actions.extend(self.proceed(now));
        actions
    }

    pub(super) fn follow(&mut self, tag: RequestTag, users: Vec<UserId>) -> Vec<Action> {
        match self.follows.add(users) {
            Ok(Added { asked, fresh }) => {
                let id = self.begin(tag.clone(), Operation::Follow(fresh));
                vec![Action::Follow { id, tag, users: asked }]
            }
            Err(exceeded) => vec![self.reply(&tag, &Reply::Refused(Refusal::TooManyFollows(exceeded)))],
        }
    }
}
