//! The integration tests: the whole server in the test process, and the built binary, over real sockets. One file for each
//! subject; `rest` has requests over HTTP, `cluster` several nodes on Redis.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "a test that does not find what it expects fails"
)]

mod accounts;
mod actix_test_server;
mod binary;
mod bodies;
mod budget;
mod centrifugo;
mod cluster;
mod command_line;
mod connection_listener;
mod conversation;
mod crowd;
mod damaged_store;
mod disk_full;
mod durability;
mod edge;
mod grpc;
mod grpc_connections;
mod handshake;
mod hostile;
mod ids;
mod logout;
mod operation;
mod raw;
mod raw_http;
mod refusals;
mod rest;
mod server_api;
mod serving;
mod signals;
mod slow_clients;
mod tencent;
mod trouble;
mod webhook;
mod world;
