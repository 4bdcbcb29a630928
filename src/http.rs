//! The HTTP faces. A handler converts the request, calls `api` or opens a session, and converts the result.
//!
//! [`nakama`] has Nakama's REST API and `/ws`, [`centrifugo`] `/connection/websocket`, [`tencent`] `/im` and Tencent's
//! REST API, [`api`] the server API, [`operation`] health and metrics, [`page`] the demo page. [`connection`] has the
//! deadlines of a TCP connection, [`exchange`] what holds for every request, [`body`] reads request bodies, [`upgrade`]
//! serves connections that become WebSockets, [`pending_limit`] refuses them while too many wait for their authentication.

pub mod api;
pub mod body;
pub mod centrifugo;
pub mod client_address;
pub mod connection;
pub mod exchange;
pub mod nakama;
pub mod operation;
pub mod page;
mod pending_limit;
pub mod tencent;
pub mod upgrade;
