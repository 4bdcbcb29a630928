//! How an operation fails.

use std::borrow::Cow;

use crate::auth::password::PasswordError;
use crate::auth::revocation::RevocationsFull;
use crate::store::StoreError;

/// What kind of failure; each face has a code of its own for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The caller's input is wrong.
    InvalidArgument,
    /// There is no such thing.
    NotFound,
    /// Somebody else has it.
    AlreadyExists,
    /// The caller may not.
    PermissionDenied,
    /// The caller has done too much lately.
    ResourceExhausted,
    /// The server failed.
    Internal,
    /// The configuration switches it off.
    Disabled,
    /// The server cannot at the moment.
    Unavailable,
    /// The caller is nobody known.
    Unauthenticated,
}

/// A failure with the sentence that the caller is told.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    /// What kind.
    pub kind: ErrorKind,
    /// For the caller.
    pub message: Cow<'static, str>,
}

impl ApiError {
    /// A failure of this kind.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, message: message.into() }
    }

    /// Wrong input.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::InvalidArgument, message)
    }
}

/// What a store's failure means to the caller; what is the server's own fault is logged here, once.
impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::UsernameTaken => Self::new(ErrorKind::AlreadyExists, "Username is already in use."),
            StoreError::LoginTaken => Self::new(ErrorKind::Internal, "Error finding or creating user account."),
            StoreError::NoAccount => Self::new(ErrorKind::NotFound, "Account not found."),
            StoreError::Busy => Self::new(ErrorKind::Unavailable, "The server is busy, try again."),
            StoreError::Unavailable(reason) => {
                log::debug!("the store cannot be reached: {reason}");
                Self::new(ErrorKind::Unavailable, "The server is busy, try again.")
            }
            StoreError::Closed => Self::new(ErrorKind::Unavailable, "The server is stopping."),
            StoreError::Damaged(_) | StoreError::UnknownFormat(_) | StoreError::InUse | StoreError::Database(_) => {
                log::error!("an account could not be read or written: {error}");
                Self::new(ErrorKind::Internal, "Error finding or creating user account.")
            }
        }
    }
}

impl From<PasswordError> for ApiError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Wrong => Self::new(ErrorKind::Unauthenticated, "Invalid credentials."),
            PasswordError::TooMany { .. } => {
                let mut message = error.to_string();
                message.replace_range(..1, "T");
                Self::new(ErrorKind::ResourceExhausted, message + ".")
            }
            PasswordError::Busy => Self::new(ErrorKind::Unavailable, "The server is busy, try again."),
            PasswordError::Failed => {
                log::error!("a password could not be hashed");
                Self::new(ErrorKind::Internal, "Error finding or creating user account.")
            }
        }
    }
}

impl From<RevocationsFull> for ApiError {
    fn from(error: RevocationsFull) -> Self {
        log::error!("{error}");
        Self::new(ErrorKind::Unavailable, "The server is busy, try again.")
    }
}
