//! The tables of the embedded database. Each is a keyspace of fjall.

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// The version of the format.
    Meta,
    /// Accounts by user id.
    Accounts,
    /// User ids by login.
    Logins,
    /// User ids by username.
    Usernames,
    /// Last-seen records by user id.
    LastSeen,
    /// Member records by user id.
    Members,
    /// Lists of friends by user id.
    Friends,
    /// Lists of blocked users by user id.
    Blocked,
    /// Revoked tokens by user id.
    Revocations,
}

impl Table {
    /// Every table, in the order of the variants.
    pub const ALL: [Self; 9] = [
        Self::Meta,
        Self::Accounts,
        Self::Logins,
        Self::Usernames,
        Self::LastSeen,
        Self::Members,
        Self::Friends,
        Self::Blocked,
        Self::Revocations,
    ];

    /// Returns the name of the keyspace, which is part of the format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Accounts => "accounts",
            Self::Logins => "logins",
            Self::Usernames => "usernames",
            Self::LastSeen => "seen",
            Self::Members => "standings",
            Self::Friends => "friends",
            Self::Blocked => "blocked",
            Self::Revocations => "revocations",
        }
    }
}
