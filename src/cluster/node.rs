//! Who the nodes are.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One life of a node: a number of its own, never used again. A node that lost its lease goes on under another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Incarnation(u64);

impl From<u64> for Incarnation {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl Incarnation {
    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &[u8]) -> Option<Self> {
        std::str::from_utf8(text).ok()?.parse().ok().map(Self)
    }
}

impl fmt::Display for Incarnation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What a node says about itself with every heartbeat.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeInfo {
    /// Its name, which lasts over restarts.
    pub name: String,
    /// The version of this program.
    pub version: String,
    /// When it started, seconds since the Unix epoch.
    pub started: u64,
    /// Connections open on it.
    pub connections: u64,
    /// Users with a connection on it.
    pub users: u64,
}
