//! Nakama's realtime protocol, as far as it is about status (`rtapi/realtime.proto` of nakama-common).
//!
//! * [`message`]: what the two formats have in common: the meaning of an envelope, errors, closes;
//! * [`json`]: text frames, proto3 JSON; * [`protobuf`]: binary frames; * [`scope`]: the messages that are not served.

mod json;
mod message;
mod protobuf;
mod scope;
#[cfg(test)]
mod tests;

use crate::session::protocol::Protocol;

/// The `format` of the connect query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON in text frames.
    Json,
    /// Protobuf in binary frames.
    Protobuf,
}

impl Format {
    /// Reads the query's value; absent or empty is JSON.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "" | "json" => Some(Self::Json),
            "protobuf" => Some(Self::Protobuf),
            _ => None,
        }
    }

    /// The protocol of this format.
    pub fn protocol(self) -> &'static dyn Protocol {
        match self {
            Self::Json => &json::Json,
            Self::Protobuf => &protobuf::Protobuf,
        }
    }
}
