//! The messages of `rtapi/realtime.proto` that this server reads or writes, with their field numbers.

use prost::encoding::{DecodeContext, decode_key, skip_field};
use prost::{Message, Oneof};

/// `Envelope`.
#[derive(Clone, PartialEq, Message)]
pub struct Envelope {
    #[prost(string, tag = "1")]
    pub cid: String,
    #[prost(oneof = "envelope::Message", tags = "11, 25, 26, 27, 28, 29, 32, 33")]
    pub message: Option<envelope::Message>,
}

/// The oneof of [`Envelope`].
pub mod envelope {
    use super::{Empty, Error, Oneof, Status, StatusFollow, StatusPresenceEvent, StatusUnfollow, StatusUpdate};

    #[derive(Clone, PartialEq, Oneof)]
    pub enum Message {
        #[prost(message, tag = "11")]
        Error(Error),
        #[prost(message, tag = "25")]
        Status(Status),
        #[prost(message, tag = "26")]
        StatusFollow(StatusFollow),
        #[prost(message, tag = "27")]
        StatusPresenceEvent(StatusPresenceEvent),
        #[prost(message, tag = "28")]
        StatusUnfollow(StatusUnfollow),
        #[prost(message, tag = "29")]
        StatusUpdate(StatusUpdate),
        #[prost(message, tag = "32")]
        Ping(Empty),
        #[prost(message, tag = "33")]
        Pong(Empty),
    }
}

/// `Ping` and `Pong`.
#[derive(Clone, PartialEq, Message)]
pub struct Empty {}

/// `Error`; its `context` is never set here.
#[derive(Clone, PartialEq, Message)]
pub struct Error {
    #[prost(int32, tag = "1")]
    pub code: i32,
    #[prost(string, tag = "2")]
    pub message: String,
}

/// `Status`, the reply to a follow.
#[derive(Clone, PartialEq, Message)]
pub struct Status {
    #[prost(message, repeated, tag = "1")]
    pub presences: Vec<UserPresence>,
}

/// `StatusFollow`.
#[derive(Clone, PartialEq, Message)]
pub struct StatusFollow {
    #[prost(string, repeated, tag = "1")]
    pub user_ids: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    pub usernames: Vec<String>,
}

/// `StatusUnfollow`.
#[derive(Clone, PartialEq, Message)]
pub struct StatusUnfollow {
    #[prost(string, repeated, tag = "1")]
    pub user_ids: Vec<String>,
}

/// `StatusUpdate`; the status is a `google.protobuf.StringValue`: absent is not empty.
#[derive(Clone, PartialEq, Message)]
pub struct StatusUpdate {
    #[prost(message, optional, tag = "1")]
    pub status: Option<String>,
}

/// `StatusPresenceEvent`; there is no field 1.
#[derive(Clone, PartialEq, Message)]
pub struct StatusPresenceEvent {
    #[prost(message, repeated, tag = "2")]
    pub joins: Vec<UserPresence>,
    #[prost(message, repeated, tag = "3")]
    pub leaves: Vec<UserPresence>,
}

/// `UserPresence`; the status is a `google.protobuf.StringValue`, written also when empty.
#[derive(Clone, PartialEq, Message)]
pub struct UserPresence {
    #[prost(string, tag = "1")]
    pub user_id: String,
    #[prost(string, tag = "2")]
    pub session_id: String,
    #[prost(string, tag = "3")]
    pub username: String,
    #[prost(bool, tag = "4")]
    pub persistence: bool,
    #[prost(message, optional, tag = "5")]
    pub status: Option<String>,
}

/// The field numbers at the top of a message that has been decoded before, so that it is known to be sound.
pub fn numbers(mut bytes: &[u8]) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let (number, kind) = decode_key(&mut bytes).ok()?;
        skip_field(kind, number, &mut bytes, DecodeContext::default()).ok()?;
        Some(number)
    })
}
