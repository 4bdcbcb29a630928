//! A user's general status over all devices, and how a connection ends.

/// What a user shows as a whole (Tencent Chat's `statusType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeneralStatus {
    /// At least one connection is visible.
    Online,
    /// Was visible and is not: the line was lost, or the user went invisible. An invisible user looks like an absent one.
    Offline,
    /// Never was visible, or logged out.
    Unlogined,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The line went, orderly or not.
    Lost,
    /// The user said goodbye.
    LoggedOut,
}
