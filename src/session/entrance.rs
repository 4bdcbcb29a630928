//! How a client comes in that says who it is by its first message, and how long it may stay on its word.

use std::sync::Arc;
use std::time::Duration;

use super::authenticator::{Authenticator, Identity};
use super::protocol::CloseCause;
use super::pulse::{Beat, Pulse};
use crate::auth::connection::TokenError;
use crate::config::value::Pattern;
use crate::presence::id::UserId;
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;

/// What clients are held to.
#[derive(Clone)]
pub struct EntranceRules {
    /// Reads their tokens.
    pub authenticator: Arc<dyn Authenticator>,
    /// A client without a token is let in as nobody.
    pub nobody_without_token: bool,
    /// A token without a user is taken.
    pub nobody_with_token: bool,
    /// How many connections a user may have.
    pub connections_per_user: usize,
    /// How long a client may take to say who it is.
    pub stale_after: Duration,
    /// How long an expired token may still be replaced.
    pub expired_grace: Duration,
    /// Clients may say that their user is active.
    pub may_mark_active: bool,
    /// What a client may say of its user with that.
    pub states: Pattern,
    /// The client has to answer pings of the dialect's own; otherwise those of WebSocket do.
    pub answers_pings: bool,
    /// How often it is pinged.
    pub ping_interval: Duration,
    /// How long its answer may take.
    pub pong_timeout: Duration,
    /// After how long it is pinged first; spread, so that those who came together do not answer together.
    pub first_ping: Duration,
}

/// How far the client has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Door {
    /// It has to say who it is until then.
    Closed(Timestamp),
    /// It was refused and has to leave until then.
    Refused(Timestamp),
    /// It is being attached to its user, which may take until then.
    Entering(Timestamp),
    Open,
}

/// The entrance of one client.
pub struct Entrance {
    rules: EntranceRules,
    door: Door,
    user: Option<UserId>,
    /// When the token is to be replaced.
    expires: Option<Timestamp>,
    /// Made when the client is in.
    pulse: Option<Pulse>,
}

/// What a token leads to that cannot be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// The client is told, and may come back with another.
    Expired,
    /// The connection ends.
    Away(CloseCause),
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Nothing.
    Nothing,
    /// A ping of the dialect's own.
    Ping,
    /// The end.
    Close(CloseCause),
}

impl Entrance {
    /// Of a client that has just connected.
    pub fn new(rules: EntranceRules, now: Timestamp) -> Self {
        let door = Door::Closed(now + rules.stale_after);
        Self { rules, door, user: None, expires: None, pulse: None }
    }

    /// Whether the client is in.
    pub fn is_open(&self) -> bool {
        self.door == Door::Open
    }

    /// Whether the client may say who it is.
    pub fn may_connect(&self) -> bool {
        matches!(self.door, Door::Closed(_))
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
    pub fn knock(&mut self, token: &str, now: Timestamp) -> Result<Identity, Turned> {
        let identity = self.identity(token, now);
        match &identity {
            Ok(identity) => {
                self.door = Door::Entering(now + self.rules.stale_after);
                self.user = identity.user;
                self.expires = identity.expires;
            }
            Err(Turned::Expired) => self.door = Door::Refused(now + self.rules.stale_after),
            Err(Turned::Away(_)) => {}
        }
        identity
    }

    fn identity(&self, token: &str, now: Timestamp) -> Result<Identity, Turned> {
        if token.is_empty() {
            let nobody = Identity { user: None, username: None, info: None, expires: None };
            return if self.rules.nobody_without_token {
                Ok(nobody)
            } else {
                Err(Turned::Away(CloseCause::BadRequest))
            };
        }
        match self.rules.authenticator.authenticate(token, now) {
            Ok(identity) if identity.user.is_none() && !self.rules.nobody_with_token => {
                Err(Turned::Away(CloseCause::NotPermitted))
            }
            Ok(identity) => Ok(identity),
            Err(TokenError::Expired) => Err(Turned::Expired),
            Err(TokenError::Invalid) => Err(Turned::Away(CloseCause::InvalidToken)),
        }
    }

    /// The client is part of its user: it is in. Returns how often it will be pinged and how long its token is good.
    pub fn enter(&mut self, now: Timestamp) -> (Option<Duration>, Option<Duration>) {
        self.door = Door::Open;
        let EntranceRules { answers_pings, first_ping, ping_interval, pong_timeout, .. } = self.rules;
        self.pulse = answers_pings.then(|| Pulse::new(first_ping, ping_interval, pong_timeout, now));
        (answers_pings.then_some(ping_interval), self.ttl(now))
    }

    /// The client brings another token.
    pub fn refresh(&mut self, token: &str, now: Timestamp) -> Result<Option<Duration>, CloseCause> {
        if token.is_empty() {
            return Err(CloseCause::BadRequest);
        }
        match self.rules.authenticator.authenticate(token, now) {
            Ok(identity) if identity.user == self.user => {
                self.expires = identity.expires;
                Ok(self.ttl(now))
            }
            Ok(_) | Err(TokenError::Invalid) => Err(CloseCause::InvalidToken),
            Err(TokenError::Expired) => Err(CloseCause::TokenExpired),
        }
    }

    fn ttl(&self, now: Timestamp) -> Option<Duration> {
        self.expires.map(|expires| expires.since(now))
    }

    /// The client answers a ping. False: nobody asked.
    pub fn pong(&mut self) -> bool {
        self.pulse.as_mut().is_some_and(Pulse::answered)
    }

    /// What is due.
    pub fn tick(&mut self, now: Timestamp) -> Due {
        match self.door {
            Door::Closed(until) | Door::Refused(until) if until <= now => return Due::Close(CloseCause::Stale),
            Door::Entering(until) if until <= now => return Due::Close(CloseCause::Busy),
            Door::Closed(_) | Door::Refused(_) | Door::Entering(_) => return Due::Nothing,
            Door::Open => {}
        }
        if self.expiry().is_some_and(|expiry| expiry <= now) {
            return Due::Close(CloseCause::TokenExpired);
        }
        match self.pulse.as_mut().map_or(Beat::Calm, |pulse| pulse.tick(now)) {
            Beat::Calm => Due::Nothing,
            Beat::Due => Due::Ping,
            Beat::Lost => Due::Close(CloseCause::Silent),
        }
    }

    fn expiry(&self) -> Option<Timestamp> {
        self.expires.map(|expires| expires + self.rules.expired_grace)
    }

    /// When [`Entrance::tick`] is due next; none: not before something else happens.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.door {
            Door::Closed(until) | Door::Refused(until) | Door::Entering(until) => Some(until),
            Door::Open => self.expiry().into_iter().chain(self.pulse.map(|pulse| pulse.deadline())).min(),
        }
    }

    /// Whether WebSocket's own pings find out that the client is gone.
    pub fn leaves_pings_to_websocket(&self) -> bool {
        !self.rules.answers_pings
    }
}
