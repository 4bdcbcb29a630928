//! A user's general status over all devices, and how a connection ends.

/// The status of a user over all its connections (Tencent Chat's `statusType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeneralStatus {
    /// At least one connection is visible.
    Online,
    /// The user was visible and is not: the connection was lost, or the user went invisible. An invisible user looks like an
    /// absent one.
    Offline,
    /// The user was never visible, or logged out.
    Unlogined,
}

impl GeneralStatus {
    /// Returns the status of a user without a visible connection, by how its last visible one ended. `None` means that it
    /// never had one.
    pub fn of_absent(exit: Option<Exit>) -> Self {
        match exit {
            Some(Exit::Lost) => Self::Offline,
            Some(Exit::LoggedOut) | None => Self::Unlogined,
        }
    }
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The connection was lost, with or without a close frame.
    Lost,
    /// The user logged out.
    LoggedOut,
}
