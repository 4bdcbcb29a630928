//! The error codes of replies, with their texts: those of the Go library `centrifuge` (`errors.go`).

/// The error codes of replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Internal = 100,
    UnknownChannel = 102,
    PermissionDenied = 103,
    MethodNotFound = 104,
    AlreadySubscribed = 105,
    LimitExceeded = 106,
    BadRequest = 107,
    NotAvailable = 108,
    TokenExpired = 109,
    TooManyRequests = 111,
}

impl Code {
    /// Returns its text.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Internal => "internal server error",
            Self::UnknownChannel => "unknown channel",
            Self::PermissionDenied => "permission denied",
            Self::MethodNotFound => "method not found",
            Self::AlreadySubscribed => "already subscribed",
            Self::LimitExceeded => "limit exceeded",
            Self::BadRequest => "bad request",
            Self::NotAvailable => "not available",
            Self::TokenExpired => "token expired",
            Self::TooManyRequests => "too many requests",
        }
    }

    /// Returns whether the same request may succeed later.
    pub(super) fn is_temporary(self) -> bool {
        matches!(self, Self::Internal | Self::TooManyRequests)
    }
}
