//! Errors as Centrifugo's server API numbers and names them.

use crate::api::{ApiError, ErrorKind};

/// An error of the server API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Centrifugo's number.
    pub code: u32,
    /// Centrifugo's words for it.
    pub message: &'static str,
    /// What is wrong in particular.
    pub detail: String,
}

impl From<ApiError> for Failure {
    fn from(error: ApiError) -> Self {
        let (code, message) = match error.kind {
            ErrorKind::InvalidArgument => (107, "bad request"),
            ErrorKind::NotFound => (104, "not found"),
            ErrorKind::AlreadyExists => (113, "conflict"),
            ErrorKind::Disabled => (108, "not available"),
            ErrorKind::PermissionDenied
            | ErrorKind::ResourceExhausted
            | ErrorKind::Internal
            | ErrorKind::Unavailable
            | ErrorKind::Unauthenticated => (100, "internal server error"),
        };
        Self { code, message, detail: error.message.into_owned() }
    }
}
