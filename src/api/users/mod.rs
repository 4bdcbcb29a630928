//! The server API: what an application's backend asks about users, after Centrifugo's (its methods, its results).
//!
//! One function an operation: [`status`] has those on what is kept of a user, [`presence`] those on who is connected,
//! [`node`] the one on the server itself. [`command`] names them all, for the faces that take them by name and in
//! batches.

mod batch;
mod command;
mod failure;
mod node;
mod presence;
mod relations;
mod status;

use std::sync::Arc;

pub use batch::{BatchMode, MAX_BATCH_COMMANDS};
pub use command::{Command, People, Reply};
pub use failure::Failure;
pub use node::{Node, NodeInfo};
pub use presence::{ConnectionInfo, Disconnection, UserView};
pub use status::UserStatus;

use super::{ApiError, ErrorKind};
use crate::config::value::Pattern;
use crate::engine::{Engine, EngineError};
use crate::members::Members;
use crate::metrics::Metrics;
use crate::presence::id::UserId;
use crate::store::last_seen::LastSeenStore;

/// The longest user id, in bytes.
pub const MAX_USER_ID_BYTES: usize = 255;

/// The most users that one call may name.
pub const MAX_USERS: usize = 1000;

/// The operations on users.
pub struct Users {
    /// Who is connected.
    pub engine: Engine,
    /// When users were last seen; none: not kept.
    pub last_seen: Option<Arc<dyn LastSeenStore>>,
    /// What a state has to look like.
    pub states: Pattern,
    /// What lasts of accounts.
    pub members: Members,
    /// Counts.
    pub metrics: Metrics,
    /// This server.
    pub node: Node,
}

impl Users {
    fn last_seen(&self) -> Result<&dyn LastSeenStore, ApiError> {
        self.last_seen
            .as_deref()
            .ok_or_else(|| ApiError::new(ErrorKind::Disabled, "user_status.enabled is false on this server"))
    }
}

/// The user whom the caller calls by this text.
fn user(text: &str) -> Result<UserId, ApiError> {
    if text.is_empty() || text.len() > MAX_USER_ID_BYTES {
        return Err(ApiError::invalid(format!("a user id has 1 to {MAX_USER_ID_BYTES} bytes")));
    }
    Ok(UserId::from_name(text))
}

/// The users whom the caller calls by these texts.
fn users(texts: &[String], most: usize) -> Result<Vec<UserId>, ApiError> {
    if texts.len() > most {
        return Err(ApiError::invalid(format!("users: at most {most} a call")));
    }
    texts.iter().map(|text| user(text)).collect()
}

/// At least one user.
fn some_users(texts: &[String]) -> Result<Vec<UserId>, ApiError> {
    if texts.is_empty() {
        return Err(ApiError::invalid("users: at least one is required"));
    }
    users(texts, MAX_USERS)
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Busy => Self::new(ErrorKind::Unavailable, "The server is busy, try again."),
            EngineError::TooManyConnections => Self::new(ErrorKind::Unavailable, "The user has too many connections."),
            EngineError::Unavailable => {
                Self::new(ErrorKind::Unavailable, "Other nodes cannot be asked just now, try again.")
            }
            EngineError::Stopped => Self::new(ErrorKind::Unavailable, "The server is stopping."),
        }
    }
}
