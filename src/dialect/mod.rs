//! The wire formats: each translates between its clients' messages and the session's commands, and decides nothing.
//!
//! A dialect never sees another, nor the engine.

pub mod centrifugo;
pub mod nakama;
pub mod tencent;
