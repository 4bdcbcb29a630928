//! Error codes: those of JSON-RPC for invalid requests and those of Tencent Chat for calls; and close frames.

use bytestring::ByteString;

use crate::session::command::Refusal;
use crate::session::member::MemberRefusal;
use crate::session::protocol::{CloseFrame, CloseReason};

/// The code of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Code {
    Parse = -32_700,
    InvalidRequest = -32_600,
    MethodNotFound = -32_601,
    InvalidParams = -32_602,
    /// From the range that JSON-RPC reserves for servers.
    Busy = -32_000,
    NotLoggedIn = 6_014,
    InvalidParameter = 6_017,
    TooOften = 7_008,
    Expired = 70_001,
    BadSignature = 70_003,
    OtherUser = 70_013,
    OtherApp = 70_014,
    NoAccount = 70_107,
    SwitchedOff = 72_001,
}

impl Code {
    /// Returns its default text.
    pub(super) fn message(self) -> &'static str {
        match self {
            Self::Parse => "parse error",
            Self::InvalidRequest => "invalid request",
            Self::MethodNotFound => "method not found",
            Self::InvalidParams => "invalid params",
            Self::Busy => "the server is busy",
            Self::NotLoggedIn => "not logged in",
            Self::InvalidParameter => "invalid parameter",
            Self::TooOften => "called too often",
            Self::Expired => "the userSig is expired",
            Self::BadSignature => "the userSig is malformed or its signature does not verify",
            Self::OtherUser => "the userSig is another user's",
            Self::OtherApp => "the SDKAppID is not this server's",
            Self::NoAccount => "no such account",
            Self::SwitchedOff => "the feature is switched off",
        }
    }
}

/// An error reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Error {
    pub code: Code,
    pub message: ByteString,
    /// The rate limit, and the milliseconds until the next call is allowed.
    pub retry: Option<(usize, u64)>,
}

impl Error {
    /// Creates an error with the default text of its code.
    pub(super) fn of(code: Code) -> Self {
        Self::new(code, code.message())
    }

    pub(super) fn new(code: Code, message: impl Into<ByteString>) -> Self {
        Self { code, message: message.into(), retry: None }
    }

    fn too_often(limit: usize, retry_after: std::time::Duration) -> Self {
        // Rounded up, so that a call after this time is allowed.
        let millis = u64::try_from(retry_after.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
        let message = format!("called too often: {limit} of {limit} calls made, try again in {millis} ms");
        Self { retry: Some((limit, millis)), ..Self::new(Code::TooOften, message) }
    }
}

impl From<&MemberRefusal> for Error {
    fn from(refusal: &MemberRefusal) -> Self {
        match refusal {
            MemberRefusal::NotLoggedIn => Self::of(Code::NotLoggedIn),
            MemberRefusal::Invalid(what) => Self::new(Code::InvalidParameter, format!("invalid parameter: {what}")),
            MemberRefusal::RateLimited { limit, retry_after } => Self::too_often(*limit, *retry_after),
            MemberRefusal::Expired => Self::of(Code::Expired),
            MemberRefusal::BadSignature => Self::of(Code::BadSignature),
            MemberRefusal::OtherUser => Self::of(Code::OtherUser),
            MemberRefusal::OtherApp => Self::of(Code::OtherApp),
            MemberRefusal::Disabled => Self::of(Code::SwitchedOff),
            MemberRefusal::Busy => Self::of(Code::Busy),
        }
    }
}

impl From<&Refusal> for Error {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::RateLimited { limit, retry_after } => Self::too_often(*limit, *retry_after),
            // These never occur in this dialect.
            Refusal::TooManyFollows(_)
            | Refusal::AlreadyFollowed
            | Refusal::TokenExpired
            | Refusal::NotPermitted
            | Refusal::StateNotAllowed
            | Refusal::Disabled
            | Refusal::Busy => Self::of(Code::Busy),
        }
    }
}

/// Returns the close frame, with the codes of RFC 6455 section 7.4.1.
pub(super) fn close_frame(cause: CloseReason) -> CloseFrame {
    match cause {
        CloseReason::LoggedOut => CloseFrame::new(1000, "logged out"),
        CloseReason::Drain => CloseFrame::new(1001, "server shutting down"),
        CloseReason::Disconnected => CloseFrame::new(1008, "disconnected by the server"),
        CloseReason::PingTimeout => CloseFrame::new(1008, "silent for too long"),
        CloseReason::HandshakeTimeout => CloseFrame::new(1008, "nobody logged in"),
        CloseReason::MessageTooLarge => CloseFrame::new(1009, "message too large"),
        CloseReason::ProtocolError => CloseFrame::new(1002, "protocol error"),
        CloseReason::InvalidUtf8 => CloseFrame::new(1007, "a text is no UTF-8"),
        CloseReason::BadRequest | CloseReason::InvalidToken | CloseReason::TokenExpired | CloseReason::NotPermitted => {
            CloseFrame::new(1008, "not permitted")
        }
        CloseReason::TooManyConnections => CloseFrame::new(1008, "too many connections"),
        CloseReason::Busy => CloseFrame::new(1013, "server busy"),
    }
}
