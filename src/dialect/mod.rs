//! The wire formats. Each dialect translates between its clients' messages and the session's commands, and decides nothing.
//!
//! A dialect imports neither another dialect nor the engine. What a command does is in `session/`.

pub mod centrifugo;
pub mod nakama;
pub mod tencent;
