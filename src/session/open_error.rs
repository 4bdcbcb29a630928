//! Why no session opens on an HTTP upgrade.

use super::pending_connections::PendingLimit;
use crate::engine::EngineError;
use crate::metrics::RefusalReason;

/// Why no session was opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The request is no WebSocket handshake (RFC 6455 section 4.2.1).
    #[error("not a websocket handshake")]
    Handshake,
    /// The handshake is of another version than 13 (RFC 6455 section 4.4).
    #[error("not version 13 of the websocket protocol")]
    Version,
    /// Too many connections wait for their authentication.
    #[error(transparent)]
    PendingLimit(#[from] PendingLimit),
    /// The engine refuses.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl OpenError {
    /// Returns the reason for metrics and logs.
    pub fn reason(&self) -> RefusalReason {
        match self {
            Self::Handshake | Self::Version => RefusalReason::Handshake,
            Self::PendingLimit(_) => RefusalReason::PendingLimit,
            Self::Engine(_) => RefusalReason::Busy,
        }
    }
}
