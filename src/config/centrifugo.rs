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
    /// What a connection is held to.
    pub client: CentrifugoClientConfig,
    /// The WebSocket transport.
    pub websocket: CentrifugoWebsocketConfig,
}

/// What a connection is held to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CentrifugoClientConfig {
    /// Pages that may connect.
    pub allowed_origins: Origins,
    /// Let clients in that bring no token.
    pub allow_anonymous_connect_without_token: bool,
    /// Refuse tokens without a user.
    pub disallow_anonymous_connection_tokens: bool,
    /// How often the server pings.
    pub ping_interval: Period,
    /// How long it waits for the answer.
    pub pong_timeout: Period,
    /// How long it waits for the client to say who it is.
    pub stale_close_delay: Period,
    /// How long an expired token may still be replaced.
    pub expired_close_delay: Period,
    /// Channels of one connection.
    #[serde(deserialize_with = "ranged::<1, 100_000, _, _>")]
    pub channel_limit: usize,
    /// Connections of one user; 0 is no limit.
    #[serde(deserialize_with = "ranged::<0, 1_000_000, _, _>")]
    pub user_connection_limit: usize,
    /// Keys of connection tokens.
    pub token: CentrifugoTokenConfig,
}

/// Keys of connection tokens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CentrifugoTokenConfig {
    /// Key of HS256, HS384 and HS512; none takes none.
    #[serde(deserialize_with = "secret_or_none")]
    pub hmac_secret_key: Option<Secret>,
    /// The key before it.
    #[serde(deserialize_with = "secret_or_none")]
    pub hmac_previous_secret_key: Option<Secret>,
    /// Until when the key before it is taken, Unix seconds; 0 is for ever.
    #[serde(deserialize_with = "ranged::<0, 253_402_300_799, _, _>")]
    pub hmac_previous_secret_key_valid_until: u64,
    /// Public key of RS256, RS384 and RS512, PEM; may be empty.
    pub rsa_public_key: String,
    /// Public key of ES256 and ES384, PEM; may be empty.
    pub ecdsa_public_key: String,
    /// A JSON Web Key Set; an empty path is none.
    pub jwks_file: PathBuf,
    /// What `aud` must name; may be empty.
    pub audience: String,
    /// What `iss` must be; may be empty.
    pub issuer: String,
}

/// The WebSocket transport.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CentrifugoWebsocketConfig {
    /// Largest message from a client, bytes.
    #[serde(deserialize_with = "ranged::<1024, 1_048_576, _, _>")]
    pub message_size_limit: usize,
}

/// Patterns of origins: letters in either case are the same, `*` is anything.
#[derive(Clone, Debug, Default)]
pub struct Origins(Vec<String>);

impl Origins {
    /// These patterns.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Self {
        Self(patterns.into_iter().map(str::to_ascii_lowercase).collect())
    }

    /// Whether a page of this origin may connect.
    pub fn allow(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        self.0.iter().any(|pattern| matches(pattern, &origin))
    }
}

/// Whether `text` is what `pattern` says, each `*` of which stands for anything. Takes time in proportion to both.
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

/// A list, or a text of several with blanks between them, as an environment variable has to be.
impl<'de> Deserialize<'de> for Origins {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Patterns;
        impl<'de> Visitor<'de> for Patterns {
            type Value = Origins;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(
                    "a list of origins, like [\"https://example.com\"], or a text of them with blanks between",
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
