//! Types of settings. The error of each names the values that it allows.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use subtle::ConstantTimeEq;

/// A duration, written like `30s`, `5m`, `1h 30m`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

impl fmt::Debug for Period {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(formatter)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Period;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a duration from 1ms to 10years, like \"500ms\", \"30s\", \"5m\", \"24h\"")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Period, E> {
                const MAX_PERIOD: Duration = Duration::from_secs(10 * 366 * 24 * 3600);
                match humantime::parse_duration(text) {
                    Ok(duration) if duration >= Duration::from_millis(1) && duration <= MAX_PERIOD => {
                        Ok(Period(duration))
                    }
                    Ok(_) | Err(_) => Err(E::invalid_value(Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Text)
    }
}

/// A key or password. It is never printed, and compared in constant time.
#[derive(Clone)]
pub struct Secret(Box<str>);

impl Secret {
    /// Wraps a secret.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Returns the bytes, for signatures and checks only.
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Returns whether this is `other`. The time that this takes depends on the lengths only.
    pub fn matches(&self, other: &[u8]) -> bool {
        self.expose().ct_eq(other).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(secret)")
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The message does not show the value, because it may be most of a real key.
        let refusal = || D::Error::custom("(value not shown): expected a text of 1 to 1024 bytes");
        let text = String::deserialize(deserializer).map_err(|_| refusal())?;
        if text.is_empty() || text.len() > 1024 {
            return Err(refusal());
        }
        Ok(Self(text.into_boxed_str()))
    }
}

/// Reads a secret. The empty text means `None`.
pub fn secret_or_none<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let refusal = || D::Error::custom("(value not shown): expected a text of at most 1024 bytes");
    let text = String::deserialize(deserializer).map_err(|_| refusal())?;
    if text.len() > 1024 {
        return Err(refusal());
    }
    Ok((!text.is_empty()).then(|| Secret(text.into_boxed_str())))
}

/// A regular expression that texts must match. The empty one matches every text. A check takes time in proportion to
/// the text, with any expression. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Pattern(Option<Arc<Regex>>);

impl Pattern {
    /// Returns whether the text matches.
    pub fn allows(&self, text: &str) -> bool {
        self.0.as_ref().is_none_or(|regex| regex.is_match(text))
    }
}

impl TryFrom<&str> for Pattern {
    type Error = regex::Error;

    fn try_from(text: &str) -> Result<Self, regex::Error> {
        let regex = (!text.is_empty()).then(|| Regex::new(text)).transpose()?;
        Ok(Self(regex.map(Arc::new)))
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(String::deserialize(deserializer)?.as_str()).map_err(D::Error::custom)
    }
}

/// Reads an integer from `MIN` to `MAX`.
pub fn ranged<'de, const MIN: u64, const MAX: u64, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    struct Range<const MIN: u64, const MAX: u64>;
    impl<const MIN: u64, const MAX: u64> Visitor<'_> for Range<MIN, MAX> {
        type Value = u64;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(formatter, "a whole number from {MIN} to {MAX}")
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<u64, E> {
            if (MIN..=MAX).contains(&number) {
                return Ok(number);
            }
            Err(E::invalid_value(Unexpected::Unsigned(number), &self))
        }

        fn visit_i64<E: Error>(self, number: i64) -> Result<u64, E> {
            match u64::try_from(number) {
                Ok(number) => self.visit_u64(number),
                Err(_) => Err(E::invalid_value(Unexpected::Signed(number), &self)),
            }
        }
    }
    let number = deserializer.deserialize_any(Range::<MIN, MAX>)?;
    T::try_from(number).map_err(|_| D::Error::custom("the number does not fit this machine"))
}
