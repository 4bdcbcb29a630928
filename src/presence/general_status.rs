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

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The connection was lost, with or without a close frame.
    Lost,
    /// The user logged out.
    LoggedOut,
}
