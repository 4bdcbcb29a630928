//! Rules of a session with an in-band handshake: its start, and the commands of Centrifugo's clients (connect, refresh,
//! subscribe under a name, mark active, list connections).
//!
//! How far the handshake is, and when its deadlines are, is in [`handshake`](crate::session::handshake).

use super::in_flight::{InFlight, Operation};
use super::role::Role;
use super::{Phase, SessionState};
use crate::config::{LimitsConfig, SessionConfig};
use crate::engine::EngineError;
use crate::outbox::{ClientAlias, RequestTag, VisibleConnection};
use crate::presence::follows::Added;
use crate::presence::id::{ConnectionId, UserId};
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;
use crate::session::action::{Action, AttachRequest};
use crate::session::authenticator::Identity;
use crate::session::command::{Refusal, Reply, Welcome};
use crate::session::handshake::{Handshake, HandshakeRules, Rejection};
use crate::session::protocol::{CloseReason, Protocol};

impl SessionState {
    /// Starts a session that learns its user by the client's first message.
    pub fn for_in_band(
        protocol: &'static dyn Protocol,
        rules: HandshakeRules,
        session: &SessionConfig,
        limits: &LimitsConfig,
        now: Timestamp,
    ) -> Self {
        let role = Role::InBand(Box::new(Handshake::new(rules, now)));
        // These clients follow their own user like any other user. No session can follow the nil user.
        let own = UserId::from_uuid(uuid::Uuid::nil());
        Self::new(protocol, role, own, session, limits, now)
    }

    pub(super) fn pong(&mut self, now: Timestamp) -> Vec<Action> {
        if self.role.accept_pong() { Vec::new() } else { self.close_because(CloseReason::BadRequest, now) }
    }

    pub(super) fn connect(&mut self, tag: RequestTag, token: &str, now: Timestamp) -> Vec<Action> {
        let Some(handshake) = self.role.handshake_mut().filter(|handshake| handshake.may_connect()) else {
            return self.close_because(CloseReason::BadRequest, now);
        };
        match handshake.authenticate(token, now) {
            Ok(Identity { user, username, info, expires: _ }) => {
                let max_connections = handshake.connections_per_user();
                // An anonymous client is invisible.
                let status = user.map(|_| StatusText::empty());
                self.begin(tag, Operation::Attach);
                vec![Action::Attach(AttachRequest { user, username, status, info, max_connections })]
            }
            Err(Rejection::TokenExpired) => vec![self.reply(&tag, &Reply::Refused(Refusal::TokenExpired))],
            Err(Rejection::Close(reason)) => self.close_because(reason, now),
        }
    }

    /// Takes the result of [`Action::Attach`].
    pub fn attached(&mut self, result: Result<ConnectionId, EngineError>, now: Timestamp) -> Vec<Action> {
        let Some(InFlight { tag, operation: Operation::Attach, .. }) = self.in_flight.take() else {
            return Vec::new();
        };
        match result {
            Ok(connection) => self.welcome(&tag, connection, now),
            Err(EngineError::Busy | EngineError::Unavailable) => self.close_because(CloseReason::Busy, now),
            Err(EngineError::TooManyConnections) => self.close_because(CloseReason::TooManyConnections, now),
            Err(EngineError::Stopped) => self.close_because(CloseReason::Drain, now),
        }
    }

    fn welcome(&mut self, tag: &RequestTag, connection: ConnectionId, now: Timestamp) -> Vec<Action> {
        if self.phase != Phase::Open {
            return Vec::new();
        }
        let Some(handshake) = self.role.handshake_mut() else { return Vec::new() };
        let ping = handshake.open(now);
        let ttl = handshake.ttl(now);
        let mut actions = vec![self.reply(tag, &Reply::Connected(Welcome { connection, ttl, ping }))];
        actions.extend(self.proceed(now));
        actions
    }

    pub(super) fn refresh(&mut self, tag: &RequestTag, token: &str, now: Timestamp) -> Vec<Action> {
        let Some(handshake) = self.role.handshake_mut() else {
            return self.close_because(CloseReason::BadRequest, now);
        };
        match handshake.refresh(token, now) {
            Ok(ttl) => vec![self.reply(tag, &Reply::Refreshed { ttl })],
            Err(reason) => self.close_because(reason, now),
        }
    }

    pub(super) fn subscribe(&mut self, tag: RequestTag, user: UserId, alias: ClientAlias) -> Vec<Action> {
        if self.follows.contains(user) {
            return vec![self.reply(&tag, &Reply::Refused(Refusal::AlreadyFollowed))];
        }
        match self.follows.add([user]) {
            // The nil user, which no session can follow.
            Ok(Added { asked: users, fresh }) if users.is_empty() => {
                let id = self.begin(tag.clone(), Operation::Follow(fresh));
                vec![Action::Follow { id, tag, users }]
            }
            Ok(_) => {
                let id = self.begin(tag.clone(), Operation::Subscribe(user));
                vec![Action::Subscribe { id, tag, user, alias }]
            }
            Err(exceeded) => vec![self.reply(&tag, &Reply::Refused(Refusal::TooManyFollows(exceeded)))],
        }
    }

    pub(super) fn mark_active(&mut self, tag: RequestTag, state: Option<StatusText>) -> Vec<Action> {
        let permission = match &self.role {
            Role::KnownUser | Role::Member(_) => Ok(()),
            Role::InBand(handshake) => handshake.check_mark_active(state.as_ref()),
        };
        if let Err(refusal) = permission {
            return vec![self.reply(&tag, &Reply::Refused(refusal))];
        }
        let done = self.protocol.reply(&tag, &Reply::Done);
        let id = self.begin(tag, Operation::MarkActive(state.clone()));
        vec![Action::MarkActive { id, state, done }]
    }

    pub(super) fn list_connections(&mut self, tag: RequestTag, user: UserId) -> Vec<Action> {
        self.begin(tag, Operation::ListConnections);
        vec![Action::ListConnections(user)]
    }

    /// Takes the result of [`Action::ListConnections`].
    pub fn connections_listed(
        &mut self,
        result: Result<Vec<VisibleConnection>, EngineError>,
        now: Timestamp,
    ) -> Vec<Action> {
        let Some(InFlight { tag, operation: Operation::ListConnections, .. }) = self.in_flight.take() else {
            return Vec::new();
        };
        let reply = result.map_or(Reply::Refused(Refusal::Busy), Reply::Connections);
        let mut actions = vec![self.charged_reply(&tag, &reply, now)];
        actions.extend(self.proceed(now));
        actions
    }
}
