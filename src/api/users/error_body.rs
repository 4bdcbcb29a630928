//! Errors of the server API with the numbers and words of Centrifugo.

use serde::Serialize;
use utoipa::ToSchema;

use crate::api::{ApiError, ErrorKind};

/// An error of the server API.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ErrorBody)]
pub struct ApiErrorBody {
    /// Centrifugo's number: 100 internal server error, 104 not found, 107 bad request, 108 not available.
    #[schema(example = 107)]
    pub code: u32,
    /// Centrifugo's words for the number.
    #[schema(example = "bad request")]
    pub message: &'static str,
    /// The cause, for people.
    #[schema(example = "users: at least one is required")]
    pub detail: String,
}

impl From<ApiError> for ApiErrorBody {
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
