//! Refusals of clients by reason, and ends of connections by close code.

use std::fmt;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

use crate::presence::dialect::Dialect;

/// Why a handshake, a login, a command, a frame or a connection is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalReason {
    /// The request is no WebSocket handshake, or asks for an unknown format.
    Handshake,
    /// Pages of this origin may not connect.
    Origin,
    /// The token or userSig is missing or not valid.
    Token,
    /// The token or userSig has expired.
    TokenExpired,
    /// The client did not authenticate in time.
    HandshakeTimeout,
    /// The client did not send its request in time.
    RequestTimeout,
    /// Too many connections wait for their authentication.
    PendingLimit,
    /// The client has not authenticated.
    Unauthenticated,
    /// The message is malformed, unknown, or has a wrong parameter.
    Message,
    /// The message exceeds the maximum size.
    TooLarge,
    /// The client's frames violate RFC 6455.
    Frame,
    /// The client sends more commands than it may.
    RateLimit,
    /// The client follows as many users as it may.
    FollowLimit,
    /// The client follows the user already.
    AlreadyFollowed,
    /// The user has its maximum number of connections.
    ConnectionLimit,
    /// The client may not do this.
    NotPermitted,
    /// The configuration switches this off.
    Disabled,
    /// The server cannot do this at the moment.
    Busy,
}

impl RefusalReason {
    /// All reasons.
    pub const ALL: [Self; 18] = [
        Self::Handshake,
        Self::Origin,
        Self::Token,
        Self::TokenExpired,
        Self::HandshakeTimeout,
        Self::RequestTimeout,
        Self::PendingLimit,
        Self::Unauthenticated,
        Self::Message,
        Self::TooLarge,
        Self::Frame,
        Self::RateLimit,
        Self::FollowLimit,
        Self::AlreadyFollowed,
        Self::ConnectionLimit,
        Self::NotPermitted,
        Self::Disabled,
        Self::Busy,
    ];

    /// Returns the name in metrics and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Origin => "origin",
            Self::Token => "token",
            Self::TokenExpired => "token_expired",
            Self::HandshakeTimeout => "handshake_timeout",
            Self::RequestTimeout => "request_timeout",
            Self::PendingLimit => "pending_limit",
            Self::Unauthenticated => "unauthenticated",
            Self::Message => "message",
            Self::TooLarge => "too_large",
            Self::Frame => "frame",
            Self::RateLimit => "rate_limit",
            Self::FollowLimit => "follow_limit",
            Self::AlreadyFollowed => "already_followed",
            Self::ConnectionLimit => "connection_limit",
            Self::NotPermitted => "not_permitted",
            Self::Disabled => "disabled",
            Self::Busy => "busy",
        }
    }
}

impl EncodeLabelValue for RefusalReason {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        EncodeLabelValue::encode(&self.name(), encoder)
    }
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ConnectionEnd {
    /// The server sent this close code. It is the server's own or the application's, so there are few.
    Server(u16),
    /// The client sent a close frame. Its code is not a label, because clients choose it.
    Client,
    /// Neither side sent a close frame.
    Lost,
}

impl EncodeLabelValue for ConnectionEnd {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        match self {
            Self::Server(code) => EncodeLabelValue::encode(&u32::from(*code), encoder),
            Self::Client => EncodeLabelValue::encode(&"client", encoder),
            Self::Lost => EncodeLabelValue::encode(&"lost", encoder),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    dialect: Dialect,
    reason: RefusalReason,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CloseLabels {
    dialect: Dialect,
    code: ConnectionEnd,
}

/// Metrics of refusals and ends of connections.
#[derive(Clone, Debug, Default)]
pub struct RefusalMetrics {
    refused: Family<RefusalLabels, Counter>,
    closed: Family<CloseLabels, Counter>,
}

impl RefusalMetrics {
    /// Registers the metrics, with every reason at zero, and with the ends that no close code of the server tells.
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "refused",
            "Refused handshakes, logins, commands, frames and connections",
            self.refused.clone(),
        );
        registry.register(
            "closed",
            "Ended connections by the server's close code; client: closed by the client; lost: without a close frame",
            self.closed.clone(),
        );
        for dialect in Dialect::ALL {
            for reason in RefusalReason::ALL {
                drop(self.refused.get_or_create(&RefusalLabels { dialect, reason }));
            }
            for code in [ConnectionEnd::Client, ConnectionEnd::Lost] {
                drop(self.closed.get_or_create(&CloseLabels { dialect, code }));
            }
        }
    }

    /// Counts a refusal.
    pub fn refuse(&self, dialect: Dialect, reason: RefusalReason) {
        self.refused.get_or_create(&RefusalLabels { dialect, reason }).inc();
    }

    /// Counts the end of a connection.
    pub fn close(&self, dialect: Dialect, code: ConnectionEnd) {
        self.closed.get_or_create(&CloseLabels { dialect, code }).inc();
    }
}
