//! hereabouts is a presence engine: which users are online, on which device, with what status, pushed at once to their
//! followers.
//!
//! The modules, from the bottom up. A module imports only modules below it (`tests/architecture/` has the table):
//!
//! | module | holds |
//! |---|---|
//! | [`presence`] | the domain without clock and IO: ids, the state machine of one user, diffs that fold, followers, privacy, quotas, rate limits |
//! | [`clock`], [`metrics`], [`config`] | the only reader of time; every metric; every setting |
//! | [`log_limit`], [`refusals`] | rate-limited log lines; what is counted and logged of a refused client |
//! | [`outbox`] | the bounded queue to one client, which folds diffs when it is full |
//! | [`auth`] | tokens of the three dialects, revocation, passwords |
//! | [`webhook`] | delivery of logins, logouts and lost connections to receivers |
//! | [`redis`] | connections to Redis, its topology, scripts and keys; `cluster` and `store` use it |
//! | [`cluster`] | the backplane between nodes, in memory and on Redis, and the remote part of presences |
//! | [`store`] | accounts, last-seen records, relations between users, revoked tokens; each in memory, on disk and on Redis |
//! | [`engine`] | one actor for each user, one supervisor for each shard, fan-out to followers |
//! | [`members`] | Tencent Chat's logged-in users: devices, subscriptions, call rates, catch-up |
//! | [`session`] | one connection: its state machine, and the WebSocket actor that executes what it decides |
//! | [`dialect`] | the wire formats of Nakama, Centrifugo and Tencent Chat |
//! | [`api`] | one function for each operation of the server, without transport |
//! | [`http`], [`grpc`] | routes, status codes and messages: convert, call, convert |
//! | [`app`], [`cli`] | assembly, start and drain; the command line |
//!
//! Where to start reading: [`presence::user`] has the rules of presence. [`outbox`] is what happens to a change on its
//! way to a client, [`engine`] which actors carry it there, [`session`] what a client may do, [`dialect`] the bytes.

#![cfg_attr(test, allow(clippy::wildcard_enum_match_arm, reason = "a test names what it expects"))]

pub mod api;
pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod dialect;
pub mod engine;
pub mod grpc;
pub mod http;
pub mod log_limit;
pub mod members;
pub mod metrics;
pub mod outbox;
pub mod presence;
pub mod redis;
pub mod refusals;
pub mod session;
pub mod store;
pub mod webhook;
