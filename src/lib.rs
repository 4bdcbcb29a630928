//! hereabouts: a presence engine. Who is here, on which device, with what status, told at once to whoever follows.
//!
//! The map, from the bottom up; what is higher imports what is lower, never the other way round (`tests/architecture.rs`
//! has the table):
//!
//! | module | holds |
//! |---|---|
//! | [`presence`] | the domain: pure, no clock, no IO; one user's machine, diffs that fold, quotas, rates |
//! | [`clock`], [`metrics`], [`config`] | the only reader of time; every metric; every setting |
//! | [`outbox`] | the bounded queue to one client, which folds when it is full |
//! | [`auth`], [`store`] | tokens and passwords; accounts, last-seen records, ties between users |
//! | [`webhook`] | tells receivers of logins, logouts and losses |
//! | [`cluster`] | several nodes: what they tell each other, in memory and on Redis |
//! | [`engine`] | one actor per user, a supervisor per shard |
//! | [`members`] | Tencent's logged-in users: devices, subscriptions, call limits |
//! | [`session`] | one connection: its rules, pure, and the WebSocket actor that carries them out |
//! | [`dialect`] | the wire formats: Nakama's, Centrifugo's, Tencent Chat's |
//! | [`api`] | one function for each operation of the server, without transport |
//! | [`http`], [`grpc`] | the faces: routes, codes, the page |
//! | [`app`], [`cli`] | puts it all together; start, drain, command line |
//!
//! To read it: [`presence::user`] is the heart. [`outbox`] says what happens to a change on its way to a client, [`engine`]
//! who carries it there, [`session`] what a client may do, [`dialect`] how it is written down.

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
pub mod members;
pub mod metrics;
pub mod outbox;
pub mod presence;
pub mod session;
pub mod store;
pub mod webhook;
