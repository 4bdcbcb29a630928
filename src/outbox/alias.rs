//! The client's own name for a user.

use bytestring::ByteString;

use crate::presence::member_name::MemberName;

/// The client's own name for a user that it follows, in dialects that have such names: Centrifugo's channels, Tencent's
/// userIDs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAlias(pub ByteString);

impl ClientAlias {
    /// Returns the alias that a member uses for this user.
    pub fn of(name: &MemberName) -> Self {
        Self(name.as_str().into())
    }
}
