//! Channel names: `status:<user>`.

use super::code::Code;
use crate::outbox::ClientAlias;
use crate::presence::id::UserId;
use crate::presence::member_name::MemberName;

/// The namespace of user status, with its separator.
const STATUS: &str = "status:";

/// Parses a channel name. A subscription to the channel follows its user. Every name of a user fits, so a channel may be
/// longer than Centrifugo's `channel.max_length` of 255 bytes by its namespace.
pub(super) fn parse(name: &str) -> Result<(UserId, ClientAlias), Code> {
    match name.strip_prefix(STATUS) {
        None if name.len() > MemberName::MAX_BYTES || name.chars().any(char::is_control) => Err(Code::BadRequest),
        None | Some("") => Err(Code::UnknownChannel),
        Some(user) => {
            let user = MemberName::new(user).map_err(|_| Code::BadRequest)?.user();
            Ok((user, ClientAlias(name.into())))
        }
    }
}

/// Returns the user of a channel name.
pub(super) fn user(channel: &str) -> &str {
    channel.strip_prefix(STATUS).unwrap_or(channel)
}
