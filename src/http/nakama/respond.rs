//! Writes responses: compact JSON with status 200, or an error with a code and a message.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;

use crate::api::{ApiError, ErrorKind};
use crate::http::body::BodyError;
use crate::metrics::RefusalReason;

/// An error in Nakama's form: `{"code":…,"message":"…"}` with gRPC's code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NakamaError {
    /// The operation failed, or its input is wrong.
    #[error(transparent)]
    Operation(#[from] ApiError),
    /// The body was not read.
    #[error("http: {0}")]
    Body(#[from] BodyError),
}

impl NakamaError {
    /// The input of the caller is wrong.
    pub fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self::Operation(ApiError::invalid(message))
    }

    /// The caller has no valid key or token.
    pub fn unauthenticated(message: &'static str) -> Self {
        Self::Operation(ApiError::new(ErrorKind::Unauthenticated, message))
    }

    /// Returns the reason for metrics and logs.
    fn reason(&self) -> RefusalReason {
        match self {
            Self::Operation(error) => reason(error.kind),
            Self::Body(error) => error.reason(),
        }
    }

    /// Returns gRPC's code and HTTP's status.
    fn codes(&self) -> (u8, StatusCode) {
        match self {
            Self::Operation(error) => codes(error.kind),
            Self::Body(error) => (body_code(*error), error.status()),
        }
    }
}

#[derive(Serialize)]
struct ErrorReply<'a> {
    code: u8,
    message: &'a str,
}

impl ResponseError for NakamaError {
    fn status_code(&self) -> StatusCode {
        self.codes().1
    }

    fn error_response(&self) -> HttpResponse {
        let (code, status) = self.codes();
        let message = self.to_string();
        let mut response = HttpResponse::build(status);
        if status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, message.as_str()));
        }
        if let Self::Operation(ApiError { retry_after: Some(retry_after), .. }) = self {
            // Rounded up: a client that comes too early is refused again.
            let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
            response.insert_header((header::RETRY_AFTER, seconds.max(1).to_string()));
        }
        let mut response = json(&mut response, &ErrorReply { code, message: &message });
        // For the recorder of refusals, which sees only the response.
        response.extensions_mut().insert(self.reason());
        response
    }
}

/// Returns gRPC's code of a body that was not read.
fn body_code(error: BodyError) -> u8 {
    match error {
        BodyError::TooLarge | BodyError::Encoding | BodyError::Corrupt | BodyError::Unreadable => 3,
        BodyError::TimedOut => 4,
        BodyError::Busy => 14,
    }
}

/// Returns the reason of an error of the API for metrics and logs.
fn reason(kind: ErrorKind) -> RefusalReason {
    match kind {
        ErrorKind::InvalidArgument | ErrorKind::NotFound | ErrorKind::AlreadyExists => RefusalReason::Message,
        ErrorKind::PermissionDenied => RefusalReason::NotPermitted,
        ErrorKind::ResourceExhausted => RefusalReason::RateLimit,
        ErrorKind::Internal | ErrorKind::Unavailable => RefusalReason::Busy,
        ErrorKind::Disabled => RefusalReason::Disabled,
        ErrorKind::Unauthenticated => RefusalReason::Token,
    }
}

/// Returns gRPC's code and HTTP's status.
fn codes(kind: ErrorKind) -> (u8, StatusCode) {
    match kind {
        ErrorKind::InvalidArgument => (3, StatusCode::BAD_REQUEST),
        ErrorKind::NotFound => (5, StatusCode::NOT_FOUND),
        ErrorKind::AlreadyExists => (6, StatusCode::CONFLICT),
        ErrorKind::PermissionDenied => (7, StatusCode::FORBIDDEN),
        ErrorKind::ResourceExhausted => (8, StatusCode::TOO_MANY_REQUESTS),
        ErrorKind::Internal => (13, StatusCode::INTERNAL_SERVER_ERROR),
        ErrorKind::Disabled => (12, StatusCode::NOT_IMPLEMENTED),
        ErrorKind::Unavailable => (14, StatusCode::SERVICE_UNAVAILABLE),
        ErrorKind::Unauthenticated => (16, StatusCode::UNAUTHORIZED),
    }
}

/// Responds with status 200, as every success does.
pub fn ok(body: &impl Serialize) -> HttpResponse {
    json(&mut HttpResponse::Ok(), body)
}

fn json(response: &mut HttpResponseBuilder, body: &impl Serialize) -> HttpResponse {
    let text = serde_json::to_string(body).expect("these types always serialize");
    response.content_type("application/json").body(text)
}

/// Responds to a path that does not exist.
pub async fn not_found() -> HttpResponse {
    json(&mut HttpResponse::NotFound(), &ErrorReply { code: 5, message: "Not Found" })
}

/// Responds to an HTTP method that the path does not have: status 501, not 405.
pub async fn not_implemented() -> HttpResponse {
    json(&mut HttpResponse::NotImplemented(), &ErrorReply { code: 12, message: "Method Not Allowed" })
}
