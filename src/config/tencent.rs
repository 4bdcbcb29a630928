//! Settings of Tencent Chat's dialect, and of who may follow whom.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use super::value::{Period, Secret, ranged, secret_or_none};

/// Tencent Chat's dialect.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TencentConfig {
    /// The app that userSigs are for.
    #[serde(deserialize_with = "ranged::<1, 4_294_967_295, _, _>")]
    pub sdk_app_id: u64,
    /// Signs userSigs; none: the dialect is off.
    #[serde(deserialize_with = "secret_or_none")]
    pub secret_key: Option<Secret>,
    /// Accounts that may call the server's side.
    pub admins: Names,
    /// Silence after which a connection counts as lost.
    pub heartbeat_timeout: Period,
    /// How long subscriptions outlive the last connection.
    pub subscription_ttl: Period,
    /// Subscriptions of an account.
    #[serde(deserialize_with = "ranged::<1, 10_000, _, _>")]
    pub subscriptions: usize,
    /// Users in one call that subscribes or ends subscriptions.
    #[serde(deserialize_with = "ranged::<1, 10_000, _, _>")]
    pub users_per_subscribe: usize,
    /// Users in one query.
    #[serde(deserialize_with = "ranged::<1, 10_000, _, _>")]
    pub users_per_query: usize,
    /// Calls of each kind in any window.
    #[serde(deserialize_with = "ranged::<1, 10_000, _, _>")]
    pub calls: usize,
    /// The window of `calls`.
    pub calls_window: Period,
    /// Longest custom status, bytes.
    #[serde(deserialize_with = "ranged::<1, 2048, _, _>")]
    pub custom_status_bytes: usize,
    /// Friends of a user.
    #[serde(deserialize_with = "ranged::<1, 100_000, _, _>")]
    pub friends: usize,
    /// Users that a user blocks.
    #[serde(deserialize_with = "ranged::<1, 100_000, _, _>")]
    pub blocked: usize,
    /// Others may be subscribed to and asked for.
    pub status_notification: bool,
    /// Others may be asked for.
    pub allow_query_others: bool,
    /// Others may be subscribed to.
    pub allow_subscribe: bool,
    /// Who never logged in is no account.
    pub strict_accounts: bool,
    /// Friends are followed without a subscription.
    pub friend_status_notification: bool,
}

/// Who may follow whom.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowConfig {
    /// Who may follow a user; others see it absent.
    pub policy: FollowPolicy,
}

/// Who may follow a user.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum FollowPolicy {
    /// Whom the user does not block.
    Anyone,
    /// Who is on the user's list of friends besides.
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

/// A few names: a list, or a text with blanks between them, as an environment variable has to be.
#[derive(Clone, Debug, Default)]
pub struct Names(Vec<String>);

impl Names {
    /// Whether this is one of them.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|known| known == name)
    }
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Names;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list of names, or a text of names with blanks between them")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Names, E> {
                Ok(Names(text.split_whitespace().map(str::to_owned).collect()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Names, A::Error> {
                let mut names = Vec::new();
                while let Some(name) = list.next_element()? {
                    names.push(name);
                }
                Ok(Names(names))
            }
        }
        deserializer.deserialize_any(List)
    }
}
