//! Channel names: `status:<user>`.

use super::code::Code;
use crate::outbox::ClientAlias;
use crate::presence::id::UserId;

/// The namespace of user status, with its separator.
const STATUS: &str = "status:";

/// Maximum length of a name in bytes (Centrifugo's `channel.max_length`).
const MAX_BYTES: usize = 255;

/// Parses a channel name. A subscription to the channel follows its user.
pub(super) fn parse(name: &str) -> Result<(UserId, ClientAlias), Code> {
    if name.len() > MAX_BYTES || name.chars().any(char::is_control) {
        return Err(Code::BadRequest);
    }
    match name.strip_prefix(STATUS) {
        None | Some("") => Err(Code::UnknownChannel),
        Some(user) => Ok((UserId::from_name(user), ClientAlias(name.into()))),
    }
}

/// Returns the user of a channel name.
pub(super) fn user(channel: &str) -> &str {
    channel.strip_prefix(STATUS).unwrap_or(channel)
}
