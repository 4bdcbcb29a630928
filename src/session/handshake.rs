//! How a client comes in that says who it is by its first message, and how long it may stay on its word.

use std::sync::Arc;
use std::time::Duration;

use super::authenticator::{Authenticator, Identity};
use super::heartbeat::{Heartbeat, HeartbeatEvent};
use super::protocol::CloseReason;
use crate::auth::connection::TokenError;
use crate::config::value::Pattern;
use crate::presence::id::UserId;
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;

/// What clients are held to.
#[derive(Clone)]
pub struct HandshakeRules {
    /// Reads their tokens.
    pub authenticator: Arc<dyn Authenticator>,
    /// A client without a token is let in as nobody.
    pub anonymous_without_token: bool,
    /// A token without a user is taken.
    pub anonymous_with_token: bool,
    /// How many connections a user may have.
    pub connections_per_user: usize,
    /// How long a client may take to say who it is.
    pub handshake_timeout: Duration,
    /// How long an expired token may still be replaced.
    pub expired_grace: Duration,
    /// Clients may say that their user is active.
    pub may_mark_active: bool,
    /// What a client may say of its user with that.
    pub states: Pattern,
    /// The client has to answer pings of the dialect's own; otherwise those of WebSocket do.
    pub dialect_pings: bool,
    /// How often it is pinged.
    pub ping_interval: Duration,
    /// How long its answer may take.
    pub pong_timeout: Duration,
    /// After how long it is pinged first; spread, so that those who came together do not answer together.
    pub first_ping: Duration,
}

/// How far the client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It has to say who it is until then.
    Closed(Timestamp),
    /// It was refused and has to leave until then.
    Refused(Timestamp),
    /// It is being attached to its user, which may take until then.
    Entering(Timestamp),
    Open,
}

/// The entrance of one client.
pub struct Handshake {
    rules: HandshakeRules,
    stage: Stage,
    user: Option<UserId>,
    /// When the token is to be replaced.
    expires: Option<Timestamp>,
    /// Made when the client is in.
    heartbeat: Option<Heartbeat>,
}

/// What a token leads to that cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The client is told, and may come back with another.
    Expired,
    /// The connection ends.
    Away(CloseReason),
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// A ping of the dialect's own.
    Ping,
    /// The end.
    Close(CloseReason),
}

impl Handshake {
    /// Of a client that has just connected.
    pub fn new(rules: HandshakeRules, now: Timestamp) -> Self {
        let stage = Stage::Closed(now + rules.handshake_timeout);
        Self { rules, stage, user: None, expires: None, heartbeat: None }
    }

    /// Whether the client is in.
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// Whether the client may say who it is.
    pub fn may_connect(&self) -> bool {
        matches!(self.stage, Stage::Closed(_))
    }

    /// Whose session it is, once the client is in; none is nobody in particular.
    pub fn user(&self) -> Option<UserId> {
        self.user
    }

    /// How many connections its user may have.
    pub fn connections_per_user(&self) -> usize {
        self.rules.connections_per_user
    }

    /// Whether its user may be marked active by it.
    pub fn may_mark_active(&self) -> bool {
        self.rules.may_mark_active
    }

    /// Whether it may say this of its user. An empty text says nothing.
    pub fn may_say(&self, text: &StatusText) -> bool {
        text.as_str().is_empty() || self.rules.states.allows(text.as_str())
    }

    /// The client says who it is.
    pub fn authenticate(&mut self, token: &str, now: Timestamp) -> Result<Identity, Rejection> {
        let identity = self.identity(token, now);
        match &identity {
            Ok(identity) => {
                self.stage = Stage::Entering(now + self.rules.handshake_timeout);
                self.user = identity.user;
                self.expires = identity.expires;
            }
            Err(Rejection::Expired) => self.stage = Stage::Refused(now + self.rules.handshake_timeout),
            Err(Rejection::Away(_)) => {}
        }
        identity
    }

    fn identity(&self, token: &str, now: Timestamp) -> Result<Identity, Rejection> {
        if token.is_empty() {
            let nobody = Identity { user: None, username: None, info: None, expires: None };
            return if self.rules.anonymous_without_token {
                Ok(nobody)
            } else {
                Err(Rejection::Away(CloseReason::BadRequest))
            };
        }
        match self.rules.authenticator.authenticate(token, now) {
            Ok(identity) if identity.user.is_none() && !self.rules.anonymous_with_token => {
                Err(Rejection::Away(CloseReason::NotPermitted))
            }
            Ok(identity) => Ok(identity),
            Err(TokenError::Expired) => Err(Rejection::Expired),
            Err(TokenError::Invalid) => Err(Rejection::Away(CloseReason::InvalidToken)),
        }
    }

    /// The client is part of its user: it is in. Returns how often it will be pinged and how long its token is good.
    pub fn enter(&mut self, now: Timestamp) -> (Option<Duration>, Option<Duration>) {
        self.stage = Stage::Open;
        let HandshakeRules { dialect_pings, first_ping, ping_interval, pong_timeout, .. } = self.rules;
        self.heartbeat = dialect_pings.then(|| Heartbeat::new(first_ping, ping_interval, pong_timeout, now));
        (dialect_pings.then_some(ping_interval), self.ttl(now))
    }

    /// The client brings another token.
    pub fn refresh(&mut self, token: &str, now: Timestamp) -> Result<Option<Duration>, CloseReason> {
        if token.is_empty() {
            return Err(CloseReason::BadRequest);
        }
        match self.rules.authenticator.authenticate(token, now) {
            Ok(identity) if identity.user == self.user => {
                self.expires = identity.expires;
                Ok(self.ttl(now))
            }
            Ok(_) | Err(TokenError::Invalid) => Err(CloseReason::InvalidToken),
            Err(TokenError::Expired) => Err(CloseReason::TokenExpired),
        }
    }

    fn ttl(&self, now: Timestamp) -> Option<Duration> {
        self.expires.map(|expires| expires.since(now))
    }

    /// The client answers a ping. False: nobody asked.
    pub fn pong(&mut self) -> bool {
        self.heartbeat.as_mut().is_some_and(Heartbeat::answered)
    }

    /// What is due.
    pub fn tick(&mut self, now: Timestamp) -> Due {
        match self.stage {
            Stage::Closed(until) | Stage::Refused(until) if until <= now => {
                return Due::Close(CloseReason::HandshakeTimeout);
            }
            Stage::Entering(until) if until <= now => return Due::Close(CloseReason::Busy),
            Stage::Closed(_) | Stage::Refused(_) | Stage::Entering(_) => return Due::Nothing,
            Stage::Open => {}
        }
        if self.expiry().is_some_and(|expiry| expiry <= now) {
            return Due::Close(CloseReason::TokenExpired);
        }
        match self.heartbeat.as_mut().map_or(HeartbeatEvent::Calm, |heartbeat| heartbeat.tick(now)) {
            HeartbeatEvent::Calm => Due::Nothing,
            HeartbeatEvent::Due => Due::Ping,
            HeartbeatEvent::Lost => Due::Close(CloseReason::PingTimeout),
        }
    }

    fn expiry(&self) -> Option<Timestamp> {
        self.expires.map(|expires| expires + self.rules.expired_grace)
    }

    /// When [`Handshake::tick`] is due next; none: not before something else happens.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Closed(until) | Stage::Refused(until) | Stage::Entering(until) => Some(until),
            Stage::Open => self.expiry().into_iter().chain(self.heartbeat.map(|heartbeat| heartbeat.deadline())).min(),
        }
    }

    /// Whether WebSocket's own pings find out that the client is gone.
    pub fn leaves_pings_to_websocket(&self) -> bool {
        !self.rules.dialect_pings
    }
}
