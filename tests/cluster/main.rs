//! Tests of the backplane on real Redis servers, which the tests start on free loopback ports (Debian: redis-server,
//! redis-sentinel).

#![allow(clippy::unwrap_used, reason = "a test that does not find what it expects fails")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it expects")]

mod contract;
mod failover;
mod grid;
mod proxy;
mod scripts;
mod server;
mod start;
mod stores;
mod trouble;
mod world;
