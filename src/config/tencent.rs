//! Settings of the Tencent Chat dialect, and the follow policy.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use super::value::{Period, Secret, ranged, secret_or_none};

/// The Tencent Chat dialect.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TencentConfig {
    /// SDKAppID that userSigs must have.
    #[serde(deserialize_with = "ranged::<1, 4_294_967_295, _, _>")]
    pub sdk_app_id: u64,
    /// Secret that verifies userSigs. `None` means that the dialect is off.
    #[serde(deserialize_with = "secret_or_none")]
    pub secret_key: Option<Secret>,
    /// Users that may call the REST API.
    pub admins: AdminNames,
    /// Silence of a client after which the connection is lost.
    pub heartbeat_timeout: Period,
    /// How long a connection may stay without a login.
    pub login_timeout: Period,
    /// How long subscriptions stay after the last connection.
    pub subscription_ttl: Period,
    /// Maximum number of subscriptions of a member.
    #[serde(deserialize_with = "ranged::<1, 10_000, _, _>")]
    pub subscriptions: usize,
    /// Maximum number of users in one call that subscribes or unsubscribes.
    #[serde(deserialize_with = "ranged::<1, 10_000, _, _>")]
    pub users_per_subscribe: usize,
    /// Maximum number of users in one query.
    #[serde(deserialize_with = "ranged::<1, 10_000, _, _>")]
    pub users_per_query: usize,
    /// Maximum number of calls of each kind in a window.
    #[serde(deserialize_with = "ranged::<1, 10_000, _, _>")]
    pub calls: usize,
    /// Length of the window of `calls`.
    pub calls_window: Period,
    /// Maximum length of a custom status, in bytes.
    #[serde(deserialize_with = "ranged::<1, 2048, _, _>")]
    pub custom_status_bytes: usize,
    /// Maximum number of friends of a user.
    #[serde(deserialize_with = "ranged::<1, 100_000, _, _>")]
    pub friends: usize,
    /// Maximum number of users that a user blocks.
    #[serde(deserialize_with = "ranged::<1, 100_000, _, _>")]
    pub blocked: usize,
    /// Whether members may subscribe to other users and query them.
    pub status_notification: bool,
    /// Whether members may query other users.
    pub allow_query_others: bool,
    /// Whether members may subscribe to other users.
    pub allow_subscribe: bool,
    /// Whether a user who never logged in is unknown in queries and subscriptions.
    pub strict_accounts: bool,
    /// Whether members follow their friends without a subscription.
    pub friend_status_notification: bool,
}

/// The follow policy.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowConfig {
    /// Which users may follow a user. For others the user looks absent.
    pub policy: FollowPolicy,
}

/// Which users may follow a user.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum FollowPolicy {
    /// Everyone, except users that the user blocks.
    Anyone,
    /// Friends of the user, except friends that the user blocks.
    Friends,
}

impl TryFrom<String> for FollowPolicy {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "anyone" => Ok(Self::Anyone),
            "friends" => Ok(Self::Friends),
            _ => Err("expected \"anyone\" or \"friends\""),
        }
    }
}

/// Names of admins. Reads a list, or one text with spaces between the names, which is the form of an environment
/// variable.
#[derive(Clone, Debug, Default)]
pub struct AdminNames(Vec<String>);

impl AdminNames {
    /// Returns whether this name is one of them.
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|known| known == name)
    }
}

impl<'de> Deserialize<'de> for AdminNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = AdminNames;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of names, or one text with spaces between them")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<AdminNames, E> {
                Ok(AdminNames(text.split_whitespace().map(str::to_owned).collect()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<AdminNames, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(AdminNames(names))
            }
        }
        deserializer.deserialize_any(List)
    }
}
