//! Settings of a cluster: the addresses of Redis, leases and timeouts.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use super::value::{Period, Secret, ranged};

/// Maximum number of Redis addresses.
const MAX_ADDRESSES: usize = 256;

/// A cluster of nodes on Redis. Without an address the node runs alone.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterConfig {
    /// Addresses of Redis. Users are distributed over all of them. Empty means that the node runs alone.
    #[serde(deserialize_with = "addresses")]
    pub redis: Vec<RedisAddress>,
    /// Prefix of every key and channel.
    pub prefix: KeyPrefix,
    /// Number of buckets of users. It must be the same on every node and can never change.
    pub buckets: BucketCount,
    /// Name of this node. Empty means a name made from the name of the machine.
    pub node: String,
    /// Silence of a node after which the others treat its connections as lost.
    pub lease_ttl: Period,
    /// How often a node renews its lease.
    pub heartbeat: Period,
    /// How long Redis may take to respond.
    pub response_timeout: Period,
    /// How long a node that cannot reach Redis keeps its clients.
    pub isolated_close: Period,
    /// File with certificates that TLS trusts in addition to the system's. Empty means none.
    pub tls_ca: PathBuf,
    /// Number of events of a bucket that Redis keeps for nodes that missed some.
    #[serde(deserialize_with = "ranged::<10, 1_000_000, _, _>")]
    pub log_length: usize,
}

impl ClusterConfig {
    /// Returns whether the node is part of a cluster.
    pub fn is_enabled(&self) -> bool {
        !self.redis.is_empty()
    }
}

/// How a Redis is operated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RedisKind {
    /// One server.
    Standalone,
    /// A master with replicas. The hosts are sentinels.
    Sentinel {
        /// Name of the master at the sentinels.
        master: String,
        /// User and password at the sentinels.
        login: RedisLogin,
    },
    /// A Redis Cluster. The hosts are some of its nodes.
    Cluster,
}

/// User and password.
#[derive(Clone, Debug, Default)]
pub struct RedisLogin {
    /// `None` means the default user of Redis.
    pub user: Option<String>,
    /// `None` means that Redis needs no password.
    pub password: Option<Secret>,
}

impl PartialEq for RedisLogin {
    fn eq(&self, other: &Self) -> bool {
        let expose = |login: &Self| login.password.as_ref().map(|password| password.expose().to_owned());
        self.user == other.user && expose(self) == expose(other)
    }
}

impl Eq for RedisLogin {}

/// Address of one Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedisAddress {
    /// How it is operated.
    pub kind: RedisKind,
    /// Names or IP addresses, with ports.
    pub hosts: Vec<(String, u16)>,
    /// Whether connections use TLS.
    pub tls: bool,
    /// User and password.
    pub login: RedisLogin,
    /// Number of the database.
    pub database: u32,
}

impl RedisAddress {
    /// Returns a text that distinguishes this Redis from others. It has no secrets and does not depend on the order of
    /// hosts.
    pub fn name(&self) -> String {
        let mut hosts: Vec<String> = self.hosts.iter().map(|(host, port)| format!("{host}:{port}")).collect();
        hosts.sort();
        let master = match &self.kind {
            RedisKind::Standalone | RedisKind::Cluster => "",
            RedisKind::Sentinel { master, .. } => master,
        };
        format!("{}/{master}/{}", hosts.join(","), self.database)
    }

    /// Parses an address. The error does not show it, because it may contain a password.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once("://").ok_or("expected redis://…")?;
        let tls = scheme.starts_with("rediss");
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (kind, default_port, database) = match scheme {
            "redis" | "rediss" => (RedisKind::Standalone, 6379, path),
            "redis+cluster" | "rediss+cluster" => (RedisKind::Cluster, 6379, path),
            "redis+sentinel" | "rediss+sentinel" => {
                let (master, database) = path.split_once('/').unwrap_or((path, ""));
                if master.is_empty() {
                    return Err("expected the master's name after the sentinels: redis+sentinel://host:26379/NAME");
                }
                let kind = RedisKind::Sentinel { master: decode(master)?, login: sentinel_login(query)? };
                (kind, 26_379, database)
            }
            _ => return Err("expected a scheme redis, redis+sentinel or redis+cluster (rediss… is encrypted)"),
        };
        if !query.is_empty() && !matches!(kind, RedisKind::Sentinel { .. }) {
            return Err("expected nothing after \"?\"");
        }
        let hosts: Vec<(String, u16)> =
            hosts.split(',').map(|host| read_host(host, default_port)).collect::<Result<_, _>>()?;
        if kind == RedisKind::Standalone && hosts.len() != 1 {
            return Err("expected one host (several make a sentinel or cluster address, or an address each)");
        }
        let database = match database {
            "" => 0,
            number => number.parse().map_err(|_| "expected a database number after the host")?,
        };
        if kind == RedisKind::Cluster && database != 0 {
            return Err("a Redis Cluster has database 0 only");
        }
        Ok(Self { kind, hosts, tls, login: read_login(login)?, database })
    }
}

fn read_host(text: &str, default_port: u16) -> Result<(String, u16), &'static str> {
    const REFUSAL: &str = "expected host:port";
    let (host, port) = match text.rsplit_once(':') {
        // IPv6 addresses are in brackets, as in every URL.
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| REFUSAL)?),
        Some(_) | None => (text, default_port),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() { Err(REFUSAL) } else { Ok((host.to_owned(), port)) }
}

fn read_login(text: &str) -> Result<RedisLogin, &'static str> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let some = |text: &str| Ok::<_, &'static str>(Some(decode(text)?).filter(|text| !text.is_empty()));
    Ok(RedisLogin { user: some(user)?, password: some(password)?.map(|password| Secret::new(&password)) })
}

fn sentinel_login(query: &str) -> Result<RedisLogin, &'static str> {
    let mut login = RedisLogin::default();
    for (key, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*key {
            "sentinel_user" => login.user = Some(value.into_owned()),
            "sentinel_password" => login.password = Some(Secret::new(&value)),
            _ => return Err("expected sentinel_user or sentinel_password after \"?\""),
        }
    }
    Ok(login)
}

/// Decodes the percent-encoding of a URL.
fn decode(text: &str) -> Result<String, &'static str> {
    const REFUSAL: &str = "expected percent-encoded UTF-8";
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2).ok_or(REFUSAL)?;
        let digits = std::str::from_utf8(digits).map_err(|_| REFUSAL)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| REFUSAL)?);
        rest = tail;
    }
    String::from_utf8(bytes).map_err(|_| REFUSAL)
}

/// Reads a list of addresses, or one text with spaces between them, which is the form of an environment variable.
fn addresses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<RedisAddress>, D::Error> {
    struct Addresses;
    impl<'de> Visitor<'de> for Addresses {
        type Value = Vec<RedisAddress>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a list of addresses like \"redis://host:6379\"")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
            read_addresses(text.split_whitespace())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Self::Value, A::Error> {
            let mut texts: Vec<String> = Vec::new();
            while let Some(text) = sequence.next_element()? {
                texts.push(text);
            }
            read_addresses(texts.iter().map(String::as_str))
        }
    }
    deserializer.deserialize_any(Addresses)
}

fn read_addresses<'a, E: Error>(texts: impl Iterator<Item = &'a str>) -> Result<Vec<RedisAddress>, E> {
    let mut addresses: Vec<RedisAddress> = Vec::new();
    for (number, text) in texts.enumerate() {
        let number = number + 1;
        // The message does not show the value, because it may contain a password.
        let refuse = |reason: &str| E::custom(format_args!("(address {number}, value not shown): {reason}"));
        let address = RedisAddress::parse(text).map_err(refuse)?;
        if addresses.iter().any(|other| other.name() == address.name()) {
            return Err(refuse("it is there already"));
        }
        addresses.push(address);
        if number > MAX_ADDRESSES {
            return Err(refuse("expected at most 256 addresses"));
        }
    }
    Ok(addresses)
}

/// Prefix of every key: 1 to 64 letters, digits and `-_.:`.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "String")]
pub struct KeyPrefix(Box<str>);

impl KeyPrefix {
    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for KeyPrefix {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let allowed = |character: char| character.is_ascii_alphanumeric() || "-_.:".contains(character);
        if text.is_empty() || text.len() > 64 || !text.chars().all(allowed) {
            return Err("expected 1 to 64 letters, digits, \"-\", \"_\", \".\", \":\"");
        }
        Ok(Self(text.into()))
    }
}

/// A number of buckets: a power of two from 16 to 4096.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(try_from = "u64")]
pub struct BucketCount(u16);

impl BucketCount {
    /// Returns the number.
    pub fn get(self) -> u16 {
        self.0
    }
}

impl TryFrom<u64> for BucketCount {
    type Error = &'static str;

    fn try_from(number: u64) -> Result<Self, Self::Error> {
        match u16::try_from(number) {
            Ok(count) if count.is_power_of_two() && (16..=4096).contains(&count) => Ok(Self(count)),
            Ok(_) | Err(_) => Err("expected a power of two from 16 to 4096"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(address: &RedisAddress) -> Vec<String> {
        address.hosts.iter().map(|(host, port)| format!("{host} {port}")).collect()
    }

    #[test]
    fn an_address_is_read_in_every_form() {
        let plain = RedisAddress::parse("redis://localhost").unwrap();
        assert_eq!((plain.kind.clone(), hosts(&plain)), (RedisKind::Standalone, vec!["localhost 6379".to_owned()]));
        let full = RedisAddress::parse("rediss://us%40er:p%3Aw@[::1]:7000/3").unwrap();
        assert_eq!((full.tls, full.database, hosts(&full)), (true, 3, vec!["::1 7000".to_owned()]));
        assert_eq!(full.login, RedisLogin { user: Some("us@er".into()), password: Some(Secret::new("p:w")) });
        let password = RedisAddress::parse("redis://:secret@h:1").unwrap();
        assert_eq!(password.login, RedisLogin { user: None, password: Some(Secret::new("secret")) });
        let sentinel = RedisAddress::parse("redis+sentinel://a,b:1/main/2?sentinel_password=x").unwrap();
        let login = RedisLogin { user: None, password: Some(Secret::new("x")) };
        assert_eq!(sentinel.kind, RedisKind::Sentinel { master: "main".into(), login });
        assert_eq!((hosts(&sentinel), sentinel.database), (vec!["a 26379".to_owned(), "b 1".to_owned()], 2));
        let cluster = RedisAddress::parse("redis+cluster://a:1,b:2,c:3").unwrap();
        assert_eq!((cluster.kind.clone(), cluster.hosts.len()), (RedisKind::Cluster, 3));
    }

    #[test]
    fn text_that_is_not_an_address_is_refused_and_not_shown() {
        for text in [
            "localhost:6379",
            "http://localhost",
            "redis://",
            "redis://a,b",
            "redis://a:port",
            "redis://a/zero",
            "redis://a?x=1",
            "redis://%zz@a",
            "redis+sentinel://a",
            "redis+sentinel://a/m?password=x",
            "redis+cluster://a/1",
        ] {
            let refusal = RedisAddress::parse(text).expect_err(text);
            assert!(refusal.contains("expected") || refusal.contains("database 0"), "{text}: {refusal}");
        }
    }

    #[test]
    fn a_name_has_no_secret_and_no_order() {
        let one = RedisAddress::parse("redis+cluster://user:pa55@b:2,a:1").unwrap();
        let other = RedisAddress::parse("redis+cluster://a:1,b:2").unwrap();
        assert_eq!(one.name(), other.name());
        assert!(!format!("{one:?}{}", one.name()).contains("pa55"));
    }

    #[test]
    fn prefixes_and_bucket_counts_are_checked() {
        assert!(KeyPrefix::try_from("here-abouts_1.x:".to_owned()).is_ok());
        for text in ["", "a{b}", "a b", &"x".repeat(65)] {
            assert!(KeyPrefix::try_from(text.to_owned()).is_err(), "{text}");
        }
        assert!([16, 256, 4096].into_iter().all(|count| BucketCount::try_from(count).is_ok()));
        assert!([0, 8, 100, 8192].into_iter().all(|count| BucketCount::try_from(count).is_err()));
    }
}
