//! Where something that tells about the server is served.

use std::fmt;
use std::net::SocketAddr;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// On which listeners something is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// On loopback addresses only.
    Loopback,
    /// On every address.
    Always,
    /// Nowhere.
    Never,
}

impl Exposure {
    /// Returns whether a listener on this address serves it.
    pub fn allows(self, address: SocketAddr) -> bool {
        match self {
            Self::Loopback => address.ip().is_loopback(),
            Self::Always => true,
            Self::Never => false,
        }
    }
}

impl<'de> Deserialize<'de> for Exposure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Word;
        impl Visitor<'_> for Word {
            type Value = Exposure;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("\"loopback\", true or false")
            }

            fn visit_bool<E: Error>(self, is_served: bool) -> Result<Exposure, E> {
                Ok(if is_served { Exposure::Always } else { Exposure::Never })
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Exposure, E> {
                match text {
                    "loopback" => Ok(Exposure::Loopback),
                    other => Err(E::invalid_value(Unexpected::Str(other), &self)),
                }
            }
        }
        deserializer.deserialize_any(Word)
    }
}
