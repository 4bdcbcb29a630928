//! The name of a user, as clients and backends write it. The one rule for ids in every dialect and API.
//!
//! A name that is a UUID, in any spelling of [`UserId::parse`], is the user with this UUID; spellings are aliases
//! everywhere. Any other name is the UUIDv5 of its bytes. Whatever can connect has such a name, so that the server API can
//! name it, disconnect it and block it.

use std::fmt;
use std::sync::Arc;

use super::id::UserId;

/// Why a text is no name of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMemberName {
    /// It is no user's name in any dialect.
    #[error("a user id has 1 to 255 bytes without control characters, and is not the nil UUID")]
    Text,
    /// It is no userID of Tencent Chat.
    #[error("a user id has 1 to 32 printable ASCII characters, or is a UUID that is not nil")]
    TencentText,
}

/// The name of a user: 1 to 255 bytes of UTF-8 without control characters, and not the nil UUID. Case-sensitive, except for
/// UUIDs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberName {
    text: Arc<str>,
    /// Computed once, because it takes a hash, and lists of names are compared by it.
    user: UserId,
}

impl MemberName {
    /// Maximum length in bytes.
    pub const MAX_BYTES: usize = 255;

    /// Maximum length in bytes of a userID of Tencent Chat that is not a UUID.
    pub const MAX_TENCENT_BYTES: usize = 32;

    /// Checks a name.
    pub fn new(text: &str) -> Result<Self, InvalidMemberName> {
        let fits = (1..=Self::MAX_BYTES).contains(&text.len()) && !text.chars().any(char::is_control);
        let user = UserId::from_name(if fits { text } else { "" });
        if !fits || user.is_nil() {
            return Err(InvalidMemberName::Text);
        }
        Ok(Self { text: text.into(), user })
    }

    /// Checks a userID of Tencent Chat: 1 to 32 printable ASCII characters. Also accepts a UUID, so
    /// that users of other dialects can be named.
    pub fn of_tencent(text: &str) -> Result<Self, InvalidMemberName> {
        let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let fits = text.len() <= Self::MAX_TENCENT_BYTES || UserId::parse(text).is_some();
        let name = Self::new(text).map_err(|_| InvalidMemberName::TencentText)?;
        if printable && fits { Ok(name) } else { Err(InvalidMemberName::TencentText) }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the user with this name.
    pub fn user(&self) -> UserId {
        self.user
    }
}

impl fmt::Display for MemberName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

impl fmt::Debug for MemberName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_no_control_characters_and_fits_into_a_request() {
        for text in ["a", " ", "é", &"x".repeat(255), "f13ead91-7889-4f81-afd8-ab814be9a6d0"] {
            assert!(MemberName::new(text).is_ok(), "{text}");
        }
        let nil = "00000000-0000-0000-0000-000000000000";
        for text in
            ["", "a\nb", "\u{7f}", "\u{85}", &"x".repeat(256), nil, &format!("{{{nil}}}"), &nil.replace('-', "")]
        {
            assert_eq!(MemberName::new(text), Err(InvalidMemberName::Text), "{text}");
        }
    }

    #[test]
    fn a_user_id_of_tencent_is_short_and_printable() {
        let urn = "urn:uuid:f13ead91-7889-4f81-afd8-ab814be9a6d0";
        for text in ["a", " ", "alice@example.com", &"x".repeat(32), urn] {
            assert_eq!(MemberName::of_tencent(text), MemberName::new(text), "{text}");
        }
        for text in ["", "é", "a\nb", "\u{7f}", &"x".repeat(33), "00000000-0000-0000-0000-000000000000"] {
            assert_eq!(MemberName::of_tencent(text), Err(InvalidMemberName::TencentText), "{text}");
        }
    }

    #[test]
    fn a_uuid_names_the_same_user_in_every_dialect() {
        let uuid = "f13ead91-7889-4f81-afd8-ab814be9a6d0";
        assert_eq!(Some(MemberName::new(uuid).unwrap().user()), UserId::parse(uuid));
        assert_eq!(MemberName::new("alice").unwrap().user(), UserId::from_name("alice"));
    }
}
