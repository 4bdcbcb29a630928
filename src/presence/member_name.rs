//! The name of a member (Tencent Chat's userID).

use std::fmt;
use std::sync::Arc;

use super::id::UserId;

/// The text is not a member's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a user id has 1 to 32 printable ASCII characters, or is a UUID that is not nil")]
pub struct InvalidMemberName;

/// A userID: 1 to 32 printable ASCII characters, or a UUID in any spelling, so that users of other dialects can be named.
/// Case-sensitive, except for UUIDs.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberName {
    text: Arc<str>,
    /// Computed once, because it takes a hash, and lists of names are compared by it.
    user: UserId,
}

impl MemberName {
    /// Maximum length in bytes of a name that is not a UUID.
    pub const MAX_BYTES: usize = 32;

    /// Checks a name.
    pub fn new(text: &str) -> Result<Self, InvalidMemberName> {
        let uuid = UserId::parse(text);
        let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let fits = (1..=Self::MAX_BYTES).contains(&text.len()) || uuid.is_some();
        if !printable || !fits || uuid.is_some_and(UserId::is_nil) {
            return Err(InvalidMemberName);
        }
        Ok(Self { text: text.into(), user: uuid.unwrap_or_else(|| UserId::from_name(text)) })
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
    fn a_name_is_short_and_printable() {
        for text in ["a", " ", "alice@example.com", &"x".repeat(32), "f13ead91-7889-4f81-afd8-ab814be9a6d0"] {
            assert!(MemberName::new(text).is_ok(), "{text}");
        }
        for text in ["", "é", "a\nb", "\u{7f}", &"x".repeat(33), "00000000-0000-0000-0000-000000000000"] {
            assert_eq!(MemberName::new(text), Err(InvalidMemberName), "{text}");
        }
    }

    #[test]
    fn a_uuid_names_the_same_user_in_every_dialect() {
        let uuid = "f13ead91-7889-4f81-afd8-ab814be9a6d0";
        assert_eq!(Some(MemberName::new(uuid).unwrap().user()), UserId::parse(uuid));
        assert_eq!(MemberName::new("alice").unwrap().user(), UserId::from_name("alice"));
    }
}
