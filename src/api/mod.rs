//! What the server can be asked, one function an operation, whatever the face that asks.

pub mod accounts;
mod error;
pub mod online;
pub mod users;
mod validate;

pub use error::{ApiError, ErrorKind};
