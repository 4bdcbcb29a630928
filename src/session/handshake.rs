//! In-band handshake: authentication by the client's first message, and the expiry of its token.
//!
//! The commands that drive it are in `state/in_band.rs`, the tokens in
//! [`authenticator`](super::authenticator).

use std::sync::Arc;
use std::time::Duration;

use super::authenticator::{Authenticator, Identity};
use super::command::Refusal;
use super::heartbeat::{Heartbeat, HeartbeatEvent};
use super::protocol::CloseReason;
use super::tick_outcome::TickOutcome;
use crate::auth::connection::TokenError;
use crate::config::value::Pattern;
use crate::presence::id::UserId;
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;

/// Limits and switches of clients that authenticate in-band.
#[derive(Clone)]
pub struct HandshakeRules {
    /// Verifies the clients' tokens.
    pub authenticator: Arc<dyn Authenticator>,
    /// Whether a client without a token is accepted, as an anonymous user.
    pub anonymous_without_token: bool,
    /// Whether a token without a user is accepted, as an anonymous user.
    pub anonymous_with_token: bool,
    /// Maximum number of connections of one user.
    pub connections_per_user: usize,
    /// Time for the client to authenticate.
    pub handshake_timeout: Duration,
    /// Time in which the client can still replace an expired token.
    pub expired_grace: Duration,
    /// Whether clients may mark their user active.
    pub may_mark_active: bool,
    /// The state texts that a client may give with an activity.
    pub states: Pattern,
    /// Whether the client answers pings of the dialect's own. Otherwise it answers WebSocket pings.
    pub dialect_pings: bool,
    /// Time between two pings.
    pub ping_interval: Duration,
    /// Time for a pong.
    pub pong_timeout: Duration,
    /// Time until the first ping. Random, so that clients that connected together do not answer together.
    pub first_ping: Duration,
}

/// How far the handshake is. The times are deadlines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// The client has to authenticate until then.
    Unauthenticated(Timestamp),
    /// The client's token has expired. The client has to leave until then.
    Rejected(Timestamp),
    /// The engine attaches the connection to its user, which may take until then.
    Attaching(Timestamp),
    /// The handshake is complete.
    Open,
}

/// The handshake of one client.
pub struct Handshake {
    rules: HandshakeRules,
    stage: Stage,
    /// The authenticated user. `None` means an anonymous client.
    user: Option<UserId>,
    /// When the token expires.
    expires: Option<Timestamp>,
    /// `None` before the handshake is complete, and where WebSocket pings watch the connection.
    heartbeat: Option<Heartbeat>,
}

/// Why a token is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// The token has expired. The client gets an error and may connect again with another token.
    TokenExpired,
    /// The session closes the connection.
    Close(CloseReason),
}

impl Handshake {
    /// Waits for a client that has just connected.
    pub fn new(rules: HandshakeRules, now: Timestamp) -> Self {
        let stage = Stage::Unauthenticated(now + rules.handshake_timeout);
        Self { rules, stage, user: None, expires: None, heartbeat: None }
    }

    /// Returns whether the handshake is complete.
    pub fn is_open(&self) -> bool {
        self.stage == Stage::Open
    }

    /// Returns whether the client may authenticate now.
    pub fn may_connect(&self) -> bool {
        matches!(self.stage, Stage::Unauthenticated(_))
    }

    /// Returns the maximum number of connections of the client's user.
    pub fn connections_per_user(&self) -> usize {
        self.rules.connections_per_user
    }

    /// Checks that the client may mark its user active with this state text. An empty text sets no state.
    pub fn check_mark_active(&self, state: Option<&StatusText>) -> Result<(), Refusal> {
        if !self.rules.may_mark_active {
            return Err(Refusal::Disabled);
        }
        if self.user.is_none() {
            return Err(Refusal::NotPermitted);
        }
        let text = state.map_or("", StatusText::as_str);
        if text.is_empty() || self.rules.states.allows(text) { Ok(()) } else { Err(Refusal::StateNotAllowed) }
    }

    /// Authenticates the client by its token.
    pub fn authenticate(&mut self, token: &str, now: Timestamp) -> Result<Identity, Rejection> {
        let identity = self.identify(token, now);
        match &identity {
            Ok(identity) => {
                self.stage = Stage::Attaching(now + self.rules.handshake_timeout);
                self.user = identity.user;
                self.expires = identity.expires;
            }
            Err(Rejection::TokenExpired) => self.stage = Stage::Rejected(now + self.rules.handshake_timeout),
            Err(Rejection::Close(_)) => {}
        }
        identity
    }

    fn identify(&self, token: &str, now: Timestamp) -> Result<Identity, Rejection> {
        if token.is_empty() {
            let anonymous = Identity { user: None, username: None, info: None, expires: None };
            return if self.rules.anonymous_without_token {
                Ok(anonymous)
            } else {
                Err(Rejection::Close(CloseReason::BadRequest))
            };
        }
        match self.rules.authenticator.authenticate(token, now) {
            Ok(identity) if identity.user.is_none() && !self.rules.anonymous_with_token => {
                Err(Rejection::Close(CloseReason::NotPermitted))
            }
            Ok(identity) => Ok(identity),
            Err(TokenError::Expired) => Err(Rejection::TokenExpired),
            Err(TokenError::Invalid) => Err(Rejection::Close(CloseReason::InvalidToken)),
        }
    }

    /// Completes the handshake: the connection is attached to its user. Returns the interval of the dialect's own pings,
    /// or `None` if WebSocket pings watch the connection.
    pub fn open(&mut self, now: Timestamp) -> Option<Duration> {
        self.stage = Stage::Open;
        let HandshakeRules { dialect_pings, first_ping, ping_interval, pong_timeout, .. } = self.rules;
        self.heartbeat = dialect_pings.then(|| Heartbeat::new(first_ping, ping_interval, pong_timeout, now));
        dialect_pings.then_some(ping_interval)
    }

    /// Replaces the client's token and returns how long the new one is valid. `None` means without a limit.
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

    /// Returns how long the client's token is valid. `None` means without a limit.
    pub fn ttl(&self, now: Timestamp) -> Option<Duration> {
        self.expires.map(|expires| expires.since(now))
    }

    /// Takes the client's pong. Returns `false` if no ping waits for one.
    pub fn accept_pong(&mut self) -> bool {
        self.heartbeat.as_mut().is_some_and(Heartbeat::accept_pong)
    }

    /// Returns what is due. A ping that is due counts as sent.
    pub fn tick(&mut self, now: Timestamp) -> TickOutcome {
        match self.stage {
            Stage::Unauthenticated(until) | Stage::Rejected(until) if until <= now => {
                return TickOutcome::Close(CloseReason::HandshakeTimeout);
            }
            Stage::Attaching(until) if until <= now => return TickOutcome::Close(CloseReason::Busy),
            Stage::Unauthenticated(_) | Stage::Rejected(_) | Stage::Attaching(_) => {}
            Stage::Open => {
                if self.grace_end().is_some_and(|end| end <= now) {
                    return TickOutcome::Close(CloseReason::TokenExpired);
                }
            }
        }
        match self.heartbeat.as_mut().map(|heartbeat| heartbeat.tick(now)) {
            Some(HeartbeatEvent::PingDue) => TickOutcome::Ping,
            Some(HeartbeatEvent::Lost) => TickOutcome::Close(CloseReason::PingTimeout),
            Some(HeartbeatEvent::NothingDue) | None if self.uses_websocket_pings() => TickOutcome::CheckKeepalive,
            Some(HeartbeatEvent::NothingDue) | None => TickOutcome::Nothing,
        }
    }

    /// Returns the time until which the client can replace its token.
    fn grace_end(&self) -> Option<Timestamp> {
        self.expires.map(|expires| expires + self.rules.expired_grace)
    }

    /// Returns the time at which [`Handshake::tick`] is due next, or `None` if no time is set.
    pub fn deadline(&self) -> Option<Timestamp> {
        match self.stage {
            Stage::Unauthenticated(until) | Stage::Rejected(until) | Stage::Attaching(until) => Some(until),
            Stage::Open => {
                let heartbeat = self.heartbeat.map(|heartbeat| heartbeat.deadline());
                self.grace_end().into_iter().chain(heartbeat).min()
            }
        }
    }

    /// Returns whether WebSocket pings detect that the client is gone, instead of the dialect's own.
    pub fn uses_websocket_pings(&self) -> bool {
        !self.rules.dialect_pings
    }
}
