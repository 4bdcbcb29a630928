//! The error of every operation.

use std::borrow::Cow;
use std::time::Duration;

use crate::auth::password::PasswordError;
use crate::store::StoreError;

/// Kind of an error. Each face maps it to a code of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The input of the caller is wrong.
    InvalidArgument,
    /// What the caller names does not exist.
    NotFound,
    /// Another user has the name.
    AlreadyExists,
    /// The caller is not allowed to do this.
    PermissionDenied,
    /// The caller exceeds a rate limit.
    ResourceExhausted,
    /// The server failed.
    Internal,
    /// The configuration switches the operation off.
    Disabled,
    /// The server cannot do this now.
    Unavailable,
    /// The caller has no valid credentials.
    Unauthenticated,
}

/// An error with a sentence for the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// Decides the code.
    pub kind: ErrorKind,
    /// The sentence.
    pub message: Cow<'static, str>,
    /// When the caller may try again, if the server knows.
    pub retry_after: Option<Duration>,
}

impl ApiError {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into(), retry_after: None }
    }

    /// The error of wrong input.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::InvalidArgument, message)
    }
}

/// Maps a store's error to the caller's. Logs failures of the server itself, once.
impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::UsernameTaken => Self::new(ErrorKind::AlreadyExists, "Username is already in use."),
            StoreError::LoginTaken => Self::new(ErrorKind::Internal, "Error finding or creating user account."),
            StoreError::NoAccount => Self::new(ErrorKind::NotFound, "Account not found."),
            StoreError::Busy => Self::new(ErrorKind::Unavailable, "The server is busy, try again."),
            StoreError::Unavailable(reason) | StoreError::Unwritable(reason) => {
                log::debug!("the store cannot be used now: {reason}");
                Self::new(ErrorKind::Unavailable, "The server is busy, try again.")
            }
            StoreError::Closed => Self::new(ErrorKind::Unavailable, "The server is stopping."),
            StoreError::Damaged(_)
            | StoreError::UnknownFormat(_)
            | StoreError::Refused(_)
            | StoreError::InUse
            | StoreError::Database(_) => {
                log::error!("an account or its tokens could not be read or written: {error}");
                Self::new(ErrorKind::Internal, "Error finding or creating user account.")
            }
        }
    }
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Wrong => Self::new(ErrorKind::Unauthenticated, "Invalid credentials."),
            PasswordError::TooMany { retry_after } => {
                let mut message = error.to_string();
                message.replace_range(..1, "T");
                let refused = Self::new(ErrorKind::ResourceExhausted, message + ".");
                Self { retry_after: Some(retry_after), ..refused }
            }
            PasswordError::Busy { retry_after } => {
                let refused = Self::new(ErrorKind::Unavailable, "The server is busy, try again.");
                Self { retry_after: Some(retry_after), ..refused }
            }
            PasswordError::Failed => {
                log::error!("a password could not be hashed");
                Self::new(ErrorKind::Internal, "Error finding or creating user account.")
            }
        }
    }
}
