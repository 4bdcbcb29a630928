//! The server API: the methods with which an application's backend asks about users and changes what is stored about
//! them (Centrifugo's server API).
//!
//! [`methods`] is the list of all methods, from which every face is generated. Each method is one function of
//! [`Users`]: [`last_seen`] has those about stored statuses, [`presence`] those about connected users, [`people`] those
//! about friends and blocked users, [`node`] the one about the server. [`parameters`] and [`results`] are what they
//! take and return; [`call`] reads and dispatches calls by name, [`batch`] runs several, [`error_body`] has
//! Centrifugo's error numbers.

mod batch;
mod call;
mod error_body;
mod last_seen;
pub(crate) mod methods;
mod node;
pub mod parameters;
mod people;
mod presence;
pub mod results;

use std::sync::Arc;

pub use batch::{BatchMode, MAX_BATCH_COMMANDS};
pub use call::{ApiCall, ApiMethod, ApiReply, MalformedParameters, read_parameters};
pub use error_body::ApiErrorBody;
pub use node::OwnNode;
pub use parameters::or_empty;

use super::{ApiError, ErrorKind};
use crate::config::value::Pattern;
use crate::engine::{Engine, EngineError};
use crate::members::Members;
use crate::metrics::Metrics;
use crate::presence::id::UserId;
use crate::presence::member_name::MemberName;
use crate::store::last_seen::LastSeenStore;

/// Maximum number of users in one call.
const MAX_USERS: usize = 1000;

/// The methods of the server API.
pub struct Users {
    /// Finds and closes connections.
    pub engine: Engine,
    /// Stored statuses, or `None` when `user_status.enabled` is false.
    pub last_seen: Option<Arc<dyn LastSeenStore>>,
    /// Pattern that a state must match.
    pub states: Pattern,
    /// Friends, blocked users and logouts.
    pub members: Members,
    /// Counts calls and failures.
    pub metrics: Metrics,
    /// This node, for `info`.
    pub node: OwnNode,
}

impl Users {
    fn last_seen(&self) -> Result<&dyn LastSeenStore, ApiError> {
        self.last_seen
            .as_deref()
            .ok_or_else(|| ApiError::new(ErrorKind::Disabled, "user_status.enabled is false on this server"))
    }
}

/// Returns the id of the user with this name.
fn user(name: &str) -> Result<UserId, ApiError> {
    let name = MemberName::new(name).map_err(|error| ApiError::invalid(error.to_string()))?;
    Ok(name.user())
}

/// Returns the ids of the users with these names. Refuses more than `max` names.
fn users(names: &[String], max: usize) -> Result<Vec<UserId>, ApiError> {
    if names.len() > max {
        return Err(ApiError::invalid(format!("users: at most {max} a call")));
    }
    names.iter().map(|name| user(name)).collect()
}

/// Returns the ids of the users with these names. Refuses an empty list.
fn at_least_one_user(names: &[String]) -> Result<Vec<UserId>, ApiError> {
    if names.is_empty() {
        return Err(ApiError::invalid("users: at least one is required"));
    }
    users(names, MAX_USERS)
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
