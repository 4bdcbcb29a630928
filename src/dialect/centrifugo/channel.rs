//! The channels there are: `status:<user>`.

use super::message::Code;
use crate::outbox::ClientAlias;
use crate::presence::id::UserId;

/// The namespace of user status, with its separator.
const STATUS: &str = "status:";

/// The longest name, in bytes (Centrifugo's `channel.max_length`).
const MAX_BYTES: usize = 255;

/// A channel by its name, whose user is followed.
pub(super) fn parse(name: &str) -> Result<(UserId, ClientAlias), Code> {
    if name.len() > MAX_BYTES || name.chars().any(char::is_control) {
        return Err(Code::BadRequest);
    }
    match name.strip_prefix(STATUS) {
        None | Some("") => Err(Code::UnknownChannel),
        Some(user) => Ok((UserId::from_name(user), ClientAlias(name.into()))),
    }
}

/// The user that a channel's name names.
pub(super) fn user(channel: &str) -> &str {
    channel.strip_prefix(STATUS).unwrap_or(channel)
}
