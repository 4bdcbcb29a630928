//! Identifiers of the domain. Each is checked when it is created, so that later code need not check it again.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

/// Namespace for user ids that are not UUIDs: the [`UserId`] is the UUIDv5 of the id in this namespace.
const NAMESPACE: Uuid = Uuid::from_u128(0x6865_7265_6162_6f75_7473_0000_7573_6572);

/// The id of one user, with any number of devices. Sixteen bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(Uuid);

impl UserId {
    /// Creates the id of a new account: a random UUID, version 4.
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// Returns the user with this UUID.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// Parses a UUID in any spelling that Nakama accepts: canonical in either case, 32 hex digits, `{…}`, `urn:uuid:…`.
    pub fn parse(text: &str) -> Option<Self> {
        // The longest spelling has 45 bytes. Longer text is refused before it is parsed.
        if text.len() > 45 {
            return None;
        }
        Uuid::try_parse(text).ok().map(Self)
    }

    /// Returns the user that another system knows by this name. A name that is a UUID is that user id.
    pub fn from_name(name: &str) -> Self {
        Self::parse(name).unwrap_or_else(|| Self(Uuid::new_v5(&NAMESPACE, name.as_bytes())))
    }

    /// Returns whether this is the nil UUID, Nakama's system user, which follows no user and is never online.
    pub const fn is_nil(self) -> bool {
        self.0.is_nil()
    }

    /// Returns the underlying UUID.
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// Returns its sixteen bytes.
    pub const fn uuid_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(formatter)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// The id of one connection. Nakama's protocol calls it the session id.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(Uuid);

impl ConnectionId {
    /// Returns the connection with this UUID.
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// Returns the underlying UUID.
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.as_hyphenated().fmt(formatter)
    }
}

impl fmt::Debug for ConnectionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Why a text is not a [`Username`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUsername {
    /// A tab, a newline, or another control character.
    #[error("a username has no control characters")]
    ControlCharacter,
    /// Empty, or longer than [`Username::MAX_BYTES`].
    #[error("a username has 1 to 128 bytes")]
    Length,
}

/// The display name of a user: 1 to 128 bytes of UTF-8 without control characters, case-sensitive.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Username(Arc<str>);

impl Username {
    /// Maximum length in bytes of UTF-8.
    pub const MAX_BYTES: usize = 128;

    /// Checks a username by Nakama's rules, which allow a space and refuse control characters.
    pub fn new(text: &str) -> Result<Self, InvalidUsername> {
        if text.chars().any(char::is_control) {
            return Err(InvalidUsername::ControlCharacter);
        }
        if text.is_empty() || text.len() > Self::MAX_BYTES {
            return Err(InvalidUsername::Length);
        }
        Ok(Self(text.into()))
    }

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Username {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Debug for Username {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_id_parses_in_every_spelling_of_nakama() {
        let canonical = "f13ead91-7889-4f81-afd8-ab814be9a6d0";
        let id = UserId::parse(canonical).unwrap();
        for spelling in [
            "F13EAD91-7889-4F81-AFD8-AB814BE9A6D0",
            "f13ead9178894f81afd8ab814be9a6d0",
            "{f13ead91-7889-4f81-afd8-ab814be9a6d0}",
            "urn:uuid:f13ead91-7889-4f81-afd8-ab814be9a6d0",
        ] {
            assert_eq!(UserId::parse(spelling), Some(id), "{spelling}");
        }
        assert_eq!(id.to_string(), canonical);
    }

    #[test]
    fn text_that_is_not_a_uuid_does_not_parse() {
        for text in ["", "notauuid", "f13ead91-7889-4f81-afd8", &"f".repeat(64)] {
            assert_eq!(UserId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_foreign_name_always_has_the_same_id() {
        assert_eq!(UserId::from_name("alice"), UserId::from_name("alice"));
        assert_ne!(UserId::from_name("alice"), UserId::from_name("Alice"));
        let uuid = "f13ead91-7889-4f81-afd8-ab814be9a6d0";
        assert_eq!(Some(UserId::from_name(uuid)), UserId::parse(uuid));
    }

    #[test]
    fn a_username_is_checked() {
        assert!(Username::new("Jürgen the 2nd").is_ok());
        assert!(Username::new(&"x".repeat(128)).is_ok());
        assert_eq!(Username::new("tab\there"), Err(InvalidUsername::ControlCharacter));
        assert_eq!(Username::new(""), Err(InvalidUsername::Length));
        assert_eq!(Username::new(&"é".repeat(65)), Err(InvalidUsername::Length));
    }
}
