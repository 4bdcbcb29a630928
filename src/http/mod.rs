//! The HTTP face: converts, calls `api/` or opens a session, converts back.
//!
//! [`nakama`] has Nakama's REST and `/ws`; [`api`] the server API; [`operation`] what operators look at; [`page`] the demo
//! page.

pub mod api;
pub mod nakama;
pub mod operation;
pub mod page;
