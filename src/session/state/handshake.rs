//! What only sessions do whose client says who it is by its first message: it comes in, stays, names what it follows.

use super::{Kind, Phase, State, UnderWay};
use crate::config::{LimitsConfig, SessionConfig};
use crate::engine::EngineError;
use crate::outbox::{ClientAlias, RequestTag, VisibleConnection};
use crate::presence::follows::Added;
use crate::presence::id::{ConnectionId, UserId};
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;
use crate::session::action::{Action, Arrival};
use crate::session::command::{Refusal, Reply, Welcome};
use crate::session::handshake::{Handshake, HandshakeRules, Rejection};
use crate::session::protocol::{CloseReason, Protocol};

impl State {
    /// A session that begins now and does not know yet whose it is.
    pub fn unidentified(
        protocol: &'static dyn Protocol,
        rules: HandshakeRules,
        session: &SessionConfig,
        limits: &LimitsConfig,
        now: Timestamp,
    ) -> Self {
        // The own user is followed like any other here; nobody follows the nil user.
        let nobody = UserId::from_uuid(uuid::Uuid::nil());
        let handshake = Some(Box::new(Handshake::new(rules, now)));
        Self { handshake, ..Self::new(protocol, nobody, session, limits, now) }
    }

    pub(super) fn pong(&mut self, now: Timestamp) -> Vec<Action> {
        let expected = self.handshake.as_mut().is_some_and(|handshake| handshake.pong());
        if expected { Vec::new() } else { self.close_because(CloseReason::BadRequest, now) }
    }

    pub(super) fn connect(&mut self, tag: RequestTag, token: &str, now: Timestamp) -> Vec<Action> {
        let Some(handshake) = self.handshake.as_mut().filter(|handshake| handshake.may_connect()) else {
            return self.close_because(CloseReason::BadRequest, now);
        };
        match handshake.authenticate(token, now) {
            Ok(identity) => {
                let most = handshake.connections_per_user();
                self.under_way(tag, Kind::Arriving);
                // Whoever is nobody is not seen.
                let status = identity.user.map(|_| StatusText::empty());
                let (user, username, info) = (identity.user, identity.username, identity.info);
                vec![Action::Attach(Arrival { user, username, status, info, most })]
            }
            Err(Rejection::Expired) => vec![self.reply(&tag, &Reply::Refused(Refusal::TokenExpired))],
            Err(Rejection::Away(cause)) => self.close_because(cause, now),
        }
    }

    /// The connection is part of its user, or cannot be.
    pub fn attached(&mut self, result: Result<ConnectionId, EngineError>, now: Timestamp) -> Vec<Action> {
        let Some(UnderWay { tag, kind: Kind::Arriving, .. }) = self.under_way.take() else { return Vec::new() };
        match (result, &mut self.handshake) {
            (Ok(connection), Some(handshake)) if self.phase == Phase::Open => {
                let (ping, ttl) = handshake.enter(now);
                let mut actions = vec![self.reply(&tag, &Reply::Connected(Welcome { connection, ttl, ping }))];
                actions.extend(self.proceed(now));
                actions
            }
            (Err(EngineError::Busy | EngineError::Unavailable), _) => self.close_because(CloseReason::Busy, now),
            (Err(EngineError::TooManyConnections), _) => self.close_because(CloseReason::TooManyConnections, now),
            (Err(EngineError::Stopped), _) => self.close_because(CloseReason::Drain, now),
            (Ok(_), _) => Vec::new(),
        }
    }

    pub(super) fn refresh(&mut self, tag: &RequestTag, token: &str, now: Timestamp) -> Vec<Action> {
        let refreshed = self.handshake.as_mut().map(|handshake| handshake.refresh(token, now));
        match refreshed {
            Some(Ok(ttl)) => vec![self.reply(tag, &Reply::Refreshed { ttl })],
            Some(Err(cause)) => self.close_because(cause, now),
            None => self.close_because(CloseReason::BadRequest, now),
        }
    }

    pub(super) fn subscribe(&mut self, tag: RequestTag, user: UserId, alias: ClientAlias) -> Vec<Action> {
        if self.follows.contains(user) {
            return vec![self.reply(&tag, &Reply::Refused(Refusal::AlreadyFollowed))];
        }
        match self.follows.add([user]) {
            // The nil user, whom nobody follows.
            Ok(Added { asked: users, fresh }) if users.is_empty() => {
                let id = self.under_way(tag.clone(), Kind::Following(fresh));
                vec![Action::Follow { id, tag, users }]
            }
            Ok(Added { asked: _, fresh }) => {
                let id = self.under_way(tag.clone(), Kind::Following(fresh));
                vec![Action::Subscribe { id, tag, user, alias }]
            }
            Err(exceeded) => vec![self.reply(&tag, &Reply::Refused(Refusal::TooManyFollows(exceeded)))],
        }
    }

    pub(super) fn mark_active(&mut self, tag: RequestTag, state: Option<StatusText>) -> Vec<Action> {
        let refusal = match &self.handshake {
            Some(handshake) if !handshake.may_mark_active() => Some(Refusal::Disabled),
            Some(handshake) if handshake.user().is_none() => Some(Refusal::NotPermitted),
            Some(handshake) if !state.as_ref().is_none_or(|text| handshake.may_say(text)) => {
                Some(Refusal::StateNotAllowed)
            }
            Some(_) | None => None,
        };
        if let Some(refusal) = refusal {
            return vec![self.reply(&tag, &Reply::Refused(refusal))];
        }
        let done = self.protocol.reply(&tag, &Reply::Done);
        let id = self.under_way(tag, Kind::MarkingActive(state.clone()));
        vec![Action::MarkActive { id, state, done }]
    }

    /// The visible connections that were asked for have come, or could not be asked for.
    pub fn shown(&mut self, result: Result<Vec<VisibleConnection>, EngineError>, now: Timestamp) -> Vec<Action> {
        let Some(UnderWay { tag, kind: Kind::Showing, .. }) = self.under_way.take() else { return Vec::new() };
        let reply = result.map_or(Reply::Refused(Refusal::Busy), Reply::Connections);
        let mut actions = vec![self.reply(&tag, &reply)];
        actions.extend(self.proceed(now));
        actions
    }
}
