//! How long users are shown on whose line broke.

use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// The longest that can be set.
const MAX_LINGER: Duration = Duration::from_secs(3600);

/// How long a connection is shown on after its line broke: whoever is back in time was never gone.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PresenceConfig {
    /// In every dialect that has no time of its own.
    pub linger: Span,
    /// In the Nakama dialect; none: as in `linger`.
    #[serde(deserialize_with = "span_or_none")]
    pub linger_nakama: Option<Span>,
    /// In the Centrifugo dialect; none: as in `linger`.
    #[serde(deserialize_with = "span_or_none")]
    pub linger_centrifugo: Option<Span>,
    /// In Tencent Chat's dialect; none: as in `linger`.
    #[serde(deserialize_with = "span_or_none")]
    pub linger_tencent: Option<Span>,
    /// After an orderly stop of one of several nodes.
    pub drain_linger: Span,
}

/// A duration that may be zero, at most an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span(pub Duration);

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Span;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a duration from 0s to 1h, like \"0s\", \"15s\", \"2m\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Span, E> {
                match humantime::parse_duration(text) {
                    Ok(duration) if duration <= MAX_LINGER => Ok(Span(duration)),
                    Ok(_) | Err(_) => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Text)
    }
}

fn span_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Span>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(None);
    }
    Span::deserialize(serde::de::value::StrDeserializer::<D::Error>::new(&text)).map(Some)
}

impl PresenceConfig {
    /// For a dialect with this setting of its own.
    pub fn linger_of(&self, own: Option<Span>) -> Duration {
        own.unwrap_or(self.linger).0
    }
}
