//! Settings of the Centrifugo dialect, named after Centrifugo's own where it has them.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use super::value::{Period, Secret, ranged, secret_or_none};

/// The Centrifugo dialect.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CentrifugoConfig {
    /// Origins, timeouts, limits and tokens of connections.
    pub client: CentrifugoClientConfig,
    /// The WebSocket transport.
    pub websocket: CentrifugoWebsocketConfig,
}

/// Origins, timeouts, limits and tokens of connections.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CentrifugoClientConfig {
    /// Origins of pages that may connect.
    pub allowed_origins: Origins,
    /// Whether clients without a token may connect.
    pub allow_anonymous_connect_without_token: bool,
    /// Whether tokens without a user are refused.
    pub disallow_anonymous_connection_tokens: bool,
    /// How often the server pings.
    pub ping_interval: Period,
    /// How long the server waits for a pong.
    pub pong_timeout: Period,
    /// How long a client may take to authenticate.
    pub stale_close_delay: Period,
    /// How long a client may take to replace an expired token.
    pub expired_close_delay: Period,
    /// Maximum number of channels of a connection.
    #[serde(deserialize_with = "ranged::<1, 100_000, _, _>")]
    pub channel_limit: usize,
    /// Maximum number of connections of a user. 0 means no limit.
    #[serde(deserialize_with = "ranged::<0, 1_000_000, _, _>")]
    pub user_connection_limit: usize,
    /// Keys that verify connection tokens.
    pub token: CentrifugoTokenConfig,
}

/// Keys that verify connection tokens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CentrifugoTokenConfig {
    /// Key of HS256, HS384 and HS512. `None` means that no such token is accepted.
    #[serde(deserialize_with = "secret_or_none")]
    pub hmac_secret_key: Option<Secret>,
    /// The key that `hmac_secret_key` replaced.
    #[serde(deserialize_with = "secret_or_none")]
    pub hmac_previous_secret_key: Option<Secret>,
    /// Time until which the replaced key is accepted, in Unix seconds. 0 means without end.
    #[serde(deserialize_with = "ranged::<0, 253_402_300_799, _, _>")]
    pub hmac_previous_secret_key_valid_until: u64,
    /// Public key of RS256, RS384 and RS512, in PEM. May be empty.
    pub rsa_public_key: String,
    /// Public key of ES256 and ES384, in PEM. May be empty.
    pub ecdsa_public_key: String,
    /// File with a JSON Web Key Set, which replaces the keys above. An empty path means none.
    pub jwks_file: PathBuf,
    /// Audience that `aud` must contain. Empty means any.
    pub audience: String,
    /// Value that `iss` must have. Empty means any.
    pub issuer: String,
}

/// The WebSocket transport.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CentrifugoWebsocketConfig {
    /// Maximum size of a message from a client, in bytes.
    #[serde(deserialize_with = "ranged::<1024, 1_048_576, _, _>")]
    pub message_size_limit: usize,
}

/// Patterns of origins. `*` matches any text; the case of letters does not matter.
#[derive(Clone, Debug, Default)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Uses these patterns.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        Self(patterns.into_iter().map(str::to_ascii_lowercase).collect())
    }

    /// Returns whether pages of this origin may connect.
    pub fn allow(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        self.0.iter().any(|pattern| matches(pattern, &origin))
    }
}

/// Returns whether `text` matches `pattern`, in which each `*` stands for any text. Takes time in proportion to both.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// Reads a list, or one text with spaces between the patterns, which is the form of an environment variable.
impl<'de> Deserialize<'de> for Origins {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Patterns;
        impl<'de> Visitor<'de> for Patterns {
            type Value = Origins;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(
                    "a list of origins, like [\"https://example.com\"], or one text with spaces between them",
                )
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Origins, E> {
                Ok(Origins::new(text.split_whitespace()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Origins, A::Error> {
                let mut patterns = Vec::new();
                while let Some(pattern) = list.next_element::<String>()? {
                    patterns.push(pattern);
                }
                Ok(Origins::new(patterns.iter().map(String::as_str)))
            }
        }
        deserializer.deserialize_any(Patterns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_matches_a_pattern_as_a_whole() {
        let origins = Origins::new(["https://Example.com", "https://*.example.org:*"]);
        for allowed in ["https://example.com", "HTTPS://EXAMPLE.COM", "https://a.example.org:8443"] {
            assert!(origins.allow(allowed), "{allowed}");
        }
        for refused in [
            "",
            "null",
            "https://example.com.evil",
            "http://example.com",
            "https://example.org:1",
            "https://a.example.org",
        ] {
            assert!(!origins.allow(refused), "{refused}");
        }
        assert!(Origins::new(["*"]).allow("null"));
        assert!(!Origins::default().allow("https://example.com"));
    }

    #[test]
    fn the_ends_of_a_pattern_do_not_overlap() {
        assert!(!matches("aa*aa", "aaa") && matches("aa*aa", "aaaa") && matches("a*b*c", "a--b--c"));
    }
}
