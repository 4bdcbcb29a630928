//! The identity of a node: its incarnation, and what it publishes about itself.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

/// One life of a node: a number that is never used again. A node that lost its lease continues under a new incarnation. The
/// number is in every user's record, so its text is short: base 36.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(u64);

impl From<u64> for Incarnation {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl Incarnation {
    /// Reads the text that [`fmt::Display`] writes.
    pub fn parse(text: &[u8]) -> Option<Self> {
        u64::from_str_radix(std::str::from_utf8(text).ok()?, 36).ok().map(Self)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = Vec::new();
        let mut left = self.0;
        while left > 0 || digits.is_empty() {
            digits.extend(char::from_digit(u32::try_from(left % 36).expect("below 36"), 36));
            left /= 36;
        }
        digits.iter().rev().try_for_each(|digit| formatter.write_char(*digit))
    }
}

/// What a node publishes about itself with every heartbeat.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeInfo {
    /// A random id, new at each start.
    pub uid: String,
    /// The name, which stays the same over restarts.
    pub name: String,
    /// The version of this program.
    pub version: String,
    /// Time of the start, seconds since the Unix epoch.
    pub started: u64,
    /// Connections open on it.
    pub connections: u64,
    /// Users with a connection on it.
    pub users: u64,
}

impl NodeInfo {
    /// Returns the node's number among the nodes. Like the uid, it is new at each start.
    pub fn number(&self) -> u64 {
        uuid::Uuid::try_parse(&self.uid).map_or(0, |uid| uid.as_u64_pair().0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incarnation_is_short_and_read_as_it_is_written() {
        for (number, text) in
            [(0, "0"), (35, "z"), (36, "10"), (1_795_220_273_123, "mwpnss0z"), (u64::MAX, "3w5e11264sgsf")]
        {
            let incarnation = Incarnation::from(number);
            assert_eq!(Incarnation::parse(incarnation.to_string().as_bytes()), Some(incarnation));
            assert_eq!(incarnation.to_string(), text);
        }
        assert_eq!((Incarnation::parse(b""), Incarnation::parse(b"a b")), (None, None));
    }
}
