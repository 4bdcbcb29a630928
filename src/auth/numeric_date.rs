//! Times in tokens.

use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor};

/// Seconds after the Unix epoch. A fraction is dropped (RFC 7519 section 2).
#[derive(Clone, Copy)]
pub struct NumericDate(pub u64);

impl<'de> Deserialize<'de> for NumericDate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl Visitor<'_> for Number {
            type Value = NumericDate;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("a number of seconds")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<NumericDate, E> {
                Ok(NumericDate(number))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<NumericDate, E> {
                Ok(NumericDate(u64::try_from(number).unwrap_or(0)))
            }

            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "saturates, as it should")]
            fn visit_f64<E: Error>(self, number: f64) -> Result<NumericDate, E> {
                Ok(NumericDate(number as u64))
            }
        }
        deserializer.deserialize_any(Number)
    }
}
