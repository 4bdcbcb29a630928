//! What is kept of users while nobody of them is connected (Centrifugo's user status).

use super::{MAX_USERS, Users, some_users, users};
use crate::api::{ApiError, ErrorKind};
use crate::presence::last_seen::LastSeen;
use crate::presence::status::StatusText;
use crate::store::StoreError;

/// What is kept of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserStatus {
    /// As the caller calls it.
    pub user: String,
    /// When it last did something, Unix seconds; 0: never.
    pub active: u64,
    /// When it was last online, Unix seconds; 0: never.
    pub online: u64,
    /// What it said of itself last; empty: nothing.
    pub state: String,
}

impl UserStatus {
    pub(super) fn new(user: String, record: &LastSeen) -> Self {
        let state = record.state.as_ref().map(|state| state.as_str().to_owned());
        let (active, online) = (record.active.as_secs(), record.online.as_secs());
        Self { user, active, online, state: state.unwrap_or_default() }
    }
}

impl Users {
    /// These users did something just now. A state is kept with it; an empty one leaves what was kept before. Does not
    /// make anybody online.
    pub fn update_user_status(&self, names: &[String], state: &str) -> Result<(), ApiError> {
        self.last_seen()?;
        let users = some_users(names)?;
        let state = StatusText::new(state).map_err(|error| ApiError::invalid(format!("state: {error}")))?;
        let state = (!state.as_str().is_empty()).then_some(state);
        if state.as_ref().is_some_and(|state| !self.states.allows(state.as_str())) {
            return Err(ApiError::invalid("state: not one that user_status.state_regex allows"));
        }
        for user in users {
            self.engine.update_status(user, state.clone())?;
        }
        Ok(())
    }

    /// What is kept of each user, in the order asked; of one never heard of, nothing but its name.
    pub async fn get_user_status(&self, names: Vec<String>) -> Result<Vec<UserStatus>, ApiError> {
        let last_seen = self.last_seen()?;
        let users = users(&names, MAX_USERS)?;
        let records = last_seen.read(users).await.map_err(unreadable)?;
        Ok(names.into_iter().zip(records).map(|(name, record)| UserStatus::new(name, &record)).collect())
    }

    /// Forgets what is kept of these users; gone from the disk when answered. One that is online is written down again
    /// at its next tick.
    pub async fn delete_user_status(&self, names: &[String]) -> Result<(), ApiError> {
        let last_seen = self.last_seen()?;
        let users = some_users(names)?;
        last_seen.forget(users.clone()).await.map_err(unreadable)?;
        Ok(self.engine.forget(users)?)
    }
}

pub(super) fn unreadable(error: StoreError) -> ApiError {
    match error {
        StoreError::Unavailable(_) | StoreError::Busy | StoreError::Closed => error.into(),
        StoreError::LoginTaken
        | StoreError::UsernameTaken
        | StoreError::NoAccount
        | StoreError::Damaged(_)
        | StoreError::UnknownFormat(_)
        | StoreError::InUse
        | StoreError::Database(_) => {
            log::error!("user statuses could not be read or written: {error}");
            ApiError::new(ErrorKind::Internal, "user statuses could not be read or written")
        }
    }
}
