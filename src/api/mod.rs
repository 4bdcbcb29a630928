//! What the server can be asked, one function an operation, whatever the face that asks: HTTP, and later gRPC.

pub mod accounts;
mod error;
mod validate;

pub use error::{ApiError, ErrorKind};
