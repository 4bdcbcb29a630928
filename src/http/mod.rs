//! The HTTP face: converts, calls `api/` or opens a session, converts back.
//!
//! [`nakama`] has Nakama's REST and `/ws`, [`centrifugo`] `/connection/websocket`, [`tencent`] `/tencent`; [`api`] the server API; [`operation`]
//! what operators look at; [`page`] the demo page; [`upgrade`] what a connection becomes that asks to be a WebSocket.

pub mod api;
pub mod centrifugo;
pub mod nakama;
pub mod operation;
pub mod page;
pub mod tencent;
pub mod upgrade;
