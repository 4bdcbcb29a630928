//! The domain: who is here, on which connection, with what status, and who is told.
pub mod id;
pub mod time;
