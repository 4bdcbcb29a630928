//! The operations of the server, one function each, independent of the transport that calls them.
//!
//! [`users`] is the server API of an application's backend, [`accounts`] are Nakama's sign-ups and logins,
//! [`token_authority`] issues, verifies and revokes their tokens, [`online`] is Tencent Chat's query of online states. [`ApiError`] is how they fail. Sessions are not here: `session` has them.

pub mod accounts;
mod error;
pub mod online;
pub mod platform;
pub mod token_authority;
pub mod users;
mod validate;

pub use error::{ApiError, ErrorKind};
