//! Why a body is refused.

use actix_web::http::StatusCode;

use crate::metrics::RefusalReason;

/// Why a body is refused. Each API has a form of its own for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The body is larger than `server.max_body_bytes`, as sent or inflated.
    #[error("request body too large")]
    TooLarge,
    /// The bodies of other requests take all of `server.max_body_memory`.
    #[error("too many request bodies at once")]
    Busy,
    /// The request did not come within `server.request_timeout`.
    #[error("request timed out")]
    TimedOut,
    /// The body has a `Content-Encoding` that this server does not have.
    #[error("unsupported content encoding")]
    Encoding,
    /// The body is not what its `Content-Encoding` says.
    #[error("corrupt content encoding")]
    Corrupt,
    /// The connection ended within the body.
    #[error("unreadable request body")]
    Unreadable,
}

impl BodyError {
    /// Returns the reason for metrics and logs.
    pub fn reason(self) -> RefusalReason {
        match self {
            Self::TooLarge => RefusalReason::TooLarge,
            Self::Busy => RefusalReason::Busy,
            Self::TimedOut => RefusalReason::RequestTimeout,
            Self::Encoding | Self::Corrupt | Self::Unreadable => RefusalReason::Message,
        }
    }

    /// Returns the HTTP status.
    pub fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::TimedOut => StatusCode::REQUEST_TIMEOUT,
            Self::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Corrupt | Self::Unreadable => StatusCode::BAD_REQUEST,
        }
    }
}
