//! Methods about what is stored of users, connected or not (Centrifugo's user status): `update_user_status`,
//! `get_user_status`, `delete_user_status`.

use super::parameters::{DeleteUserStatusRequest, GetUserStatusRequest, UpdateUserStatusRequest};
use super::results::{EmptyResult, GetUserStatusResult, UserStatusBody};
use super::{MAX_USERS, Users, at_least_one_user, users};
use crate::api::{ApiError, ErrorKind};
use crate::presence::status::StatusText;
use crate::store::StoreError;

impl Users {
    /// Records that the users are active now. A state is stored with the record; an empty one leaves the stored state.
    /// The call makes no user online.
    pub async fn update_user_status(&self, request: UpdateUserStatusRequest) -> Result<EmptyResult, ApiError> {
        self.last_seen()?;
        let users = at_least_one_user(&request.users)?;
        let state = StatusText::new(&request.state).map_err(|error| ApiError::invalid(format!("state: {error}")))?;
        let state = (!state.as_str().is_empty()).then_some(state);
        if state.as_ref().is_some_and(|state| !self.states.allows(state.as_str())) {
            return Err(ApiError::invalid("state: not one that user_status.state_regex allows"));
        }
        for user in users {
            self.engine.mark_active(user, state.clone())?;
        }
        Ok(EmptyResult {})
    }

    /// Returns what is stored about each user, in the order of the request.
    pub async fn get_user_status(&self, request: GetUserStatusRequest) -> Result<GetUserStatusResult, ApiError> {
        let last_seen = self.last_seen()?;
        let users = users(&request.users, MAX_USERS)?;
        let records = last_seen.read(users).await.map_err(store_error)?;
        let named = request.users.into_iter().zip(records);
        Ok(GetUserStatusResult { statuses: named.map(|(name, record)| UserStatusBody::new(name, &record)).collect() })
    }

    /// Deletes what is stored about the users. The records are gone from the disk when the call returns. The next
    /// periodic update stores a new record of a user who is online.
    pub async fn delete_user_status(&self, request: DeleteUserStatusRequest) -> Result<EmptyResult, ApiError> {
        let last_seen = self.last_seen()?;
        let users = at_least_one_user(&request.users)?;
        last_seen.forget(users.clone()).await.map_err(store_error)?;
        self.engine.forget(users)?;
        Ok(EmptyResult {})
    }
}

/// Maps a failure of the last-seen store to the caller's error. Logs failures of the server itself.
pub(super) fn store_error(error: StoreError) -> ApiError {
    match error {
        StoreError::Unavailable(_) | StoreError::Unwritable(_) | StoreError::Busy | StoreError::Closed => error.into(),
        StoreError::LoginTaken
        | StoreError::UsernameTaken
        | StoreError::NoAccount
        | StoreError::Damaged(_)
        | StoreError::UnknownFormat(_)
        | StoreError::Refused(_)
        | StoreError::InUse
        | StoreError::Database(_) => {
            log::error!("user statuses could not be read or written: {error}");
            ApiError::new(ErrorKind::Internal, "user statuses could not be read or written")
        }
    }
}
