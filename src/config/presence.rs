//! How long a presence lingers after a lost connection.

use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// Maximum linger.
const MAX_LINGER: Duration = Duration::from_secs(3600);

/// How long followers see a connection after it was lost. A client that is back in time was never absent for them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresenceConfig {
    /// In every dialect without a setting of its own.
    pub linger: LingerPeriod,
    /// In the Nakama dialect. `None` means the value of `linger`.
    #[serde(deserialize_with = "linger_or_none")]
    pub linger_nakama: Option<LingerPeriod>,
    /// In the Centrifugo dialect. `None` means the value of `linger`.
    #[serde(deserialize_with = "linger_or_none")]
    pub linger_centrifugo: Option<LingerPeriod>,
    /// In the Tencent Chat dialect. `None` means the value of `linger`.
    #[serde(deserialize_with = "linger_or_none")]
    pub linger_tencent: Option<LingerPeriod>,
    /// After an orderly stop of a node of a cluster.
    pub drain_linger: LingerPeriod,
}

/// A duration from zero to one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LingerPeriod(pub Duration);

impl<'de> Deserialize<'de> for LingerPeriod {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = LingerPeriod;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a duration from 0s to 1h, like \"0s\", \"15s\", \"2m\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<LingerPeriod, E> {
                match humantime::parse_duration(text) {
                    Ok(duration) if duration <= MAX_LINGER => Ok(LingerPeriod(duration)),
                    Ok(_) | Err(_) => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Text)
    }
}

fn linger_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<LingerPeriod>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    LingerPeriod::deserialize(serde::de::value::StrDeserializer::<D::Error>::new(&text)).map(Some)
}

impl PresenceConfig {
    /// Returns the linger of a dialect with this setting of its own.
    pub fn linger_of(&self, own: Option<LingerPeriod>) -> Duration {
        own.unwrap_or(self.linger).0
    }
}
