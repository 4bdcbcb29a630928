//! Tests of the backplane on real Redis servers, which the tests start on free loopback ports (Debian: redis-server,
//! redis-sentinel).

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
