//! Where the address of a client is read.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

/// What tells the address of a client.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub enum ClientAddressSource {
    /// The TCP connection: no proxy is in front.
    Peer,
    /// The headers `Forwarded` or `X-Forwarded-For` of trusted proxies.
    Forwarded,
    /// The PROXY protocol, version 2, of trusted proxies.
    ProxyProtocol,
}

impl TryFrom<String> for ClientAddressSource {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.as_str() {
            "peer" => Ok(Self::Peer),
            "forwarded" => Ok(Self::Forwarded),
            "proxy-protocol" => Ok(Self::ProxyProtocol),
            _ => Err("expected \"peer\", \"forwarded\" or \"proxy-protocol\""),
        }
    }
}

/// Networks of proxies that are trusted to tell a client's address. A list, or one text with spaces, as in an environment
/// variable. An address without a prefix length is a network of one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Returns whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns whether this address is a trusted proxy's.
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    fn parse<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let network = |text: &str| {
            let address = || text.parse::<IpAddr>().map(|address| IpNet::from(address.to_canonical()));
            text.parse::<IpNet>().or_else(|_| address()).map_err(|_| text.to_owned())
        };
        texts.map(network).collect::<Result<_, _>>().map(Self)
    }
}

impl<'de> Deserialize<'de> for TrustedProxies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = TrustedProxies;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("networks like \"10.0.0.0/8\" or addresses, as a list or with spaces between them")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<TrustedProxies, E> {
                TrustedProxies::parse(text.split_whitespace()).map_err(|text| unknown(&text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<TrustedProxies, A::Error> {
                let mut texts: Vec<String> = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                TrustedProxies::parse(texts.iter().map(String::as_str)).map_err(|text| unknown(&text))
            }
        }
        deserializer.deserialize_any(List)
    }
}

fn unknown<E: Error>(text: &str) -> E {
    E::custom(format!("{text:?}: expected a network like \"10.0.0.0/8\" or an address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_and_addresses_are_trusted_in_every_spelling() {
        let trusted = TrustedProxies::parse("10.0.0.0/8 192.0.2.1 2001:db8::/32".split(' ')).unwrap();
        let contains = |text: &str| trusted.contains(text.parse().unwrap());
        assert!(contains("10.200.3.4") && contains("192.0.2.1") && contains("2001:db8:9::1"));
        assert!(contains("::ffff:10.0.0.1"), "an IPv4 address on an IPv6 socket");
        assert!(!contains("11.0.0.1") && !contains("192.0.2.2") && !contains("2001:db9::1"));
        assert_eq!(TrustedProxies::parse("10.0.0.0/33".split(' ')).unwrap_err(), "10.0.0.0/33");
    }
}
