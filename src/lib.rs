//! hereabouts: a presence engine. Who is here, on which device, with what status, told at once to whoever follows.

#![cfg_attr(test, allow(clippy::wildcard_enum_match_arm, reason = "a test names what it expects"))]

pub mod api;
pub mod app;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod dialect;
pub mod engine;
pub mod http;
pub mod metrics;
pub mod outbox;
pub mod presence;
pub mod session;
pub mod store;
