//! The role of a session: how its client authenticates, and what follows from that for pings and deadlines.
//!
//! The commands of each role are in the role's own file: [`super::known_user`], [`super::in_band`], [`super::member`].

use crate::presence::time::Timestamp;
use crate::session::handshake::Handshake;
use crate::session::member_login::MemberLogin;
use crate::session::tick_outcome::TickOutcome;

/// How the client of a session authenticates. A session keeps its role until it ends.
pub(super) enum Role {
    /// The HTTP request authenticated the user before the connection opened (Nakama).
    KnownUser,
    /// The client authenticates by its first message (Centrifugo).
    InBand(Box<Handshake>),
    /// The connection belongs to no user until a member logs in (Tencent Chat).
    Member(Box<MemberLogin>),
}

impl Role {
    /// Returns whether the client may send any command. `false` while an in-band handshake is incomplete.
    pub fn accepts_commands(&self) -> bool {
        match self {
            Self::KnownUser | Self::Member(_) => true,
            Self::InBand(handshake) => handshake.is_open(),
        }
    }

    /// Returns whether a command that the rate limit refuses still waits for its turn. A member sends commands in
    /// batches, and the replies of a batch keep their order.
    pub fn orders_rate_refusals(&self) -> bool {
        match self {
            Self::KnownUser | Self::InBand(_) => false,
            Self::Member(_) => true,
        }
    }

    /// Takes the client's answer to a ping of the dialect's own. Returns `false` if no ping waits for an answer.
    pub fn accept_pong(&mut self) -> bool {
        match self {
            Self::KnownUser | Self::Member(_) => false,
            Self::InBand(handshake) => handshake.accept_pong(),
        }
    }

    /// Returns what is due. A ping that is due counts as sent.
    pub fn tick(&mut self, now: Timestamp) -> TickOutcome {
        match self {
            Self::KnownUser => TickOutcome::CheckKeepalive,
            Self::InBand(handshake) => handshake.tick(now),
            Self::Member(login) => login.tick(now),
        }
    }

    /// Returns the time at which [`Role::tick`] is due next. `keepalive` is the deadline of the WebSocket pings.
    pub fn deadline(&self, keepalive: Timestamp) -> Timestamp {
        match self {
            Self::KnownUser => keepalive,
            Self::InBand(handshake) => {
                let websocket = handshake.uses_websocket_pings().then_some(keepalive);
                handshake.deadline().into_iter().chain(websocket).min().unwrap_or(keepalive)
            }
            Self::Member(login) => login.deadline().map_or(keepalive, |deadline| deadline.min(keepalive)),
        }
    }

    /// Returns the in-band handshake, or `None` in the other roles.
    pub fn handshake_mut(&mut self) -> Option<&mut Handshake> {
        match self {
            Self::KnownUser | Self::Member(_) => None,
            Self::InBand(handshake) => Some(handshake),
        }
    }

    /// Returns the member's login, or `None` in the other roles.
    pub fn login(&self) -> Option<&MemberLogin> {
        match self {
            Self::KnownUser | Self::InBand(_) => None,
            Self::Member(login) => Some(login),
        }
    }

    /// Returns the member's login for a change, or `None` in the other roles.
    pub fn login_mut(&mut self) -> Option<&mut MemberLogin> {
        match self {
            Self::KnownUser | Self::InBand(_) => None,
            Self::Member(login) => Some(login),
        }
    }
}
