//! Methods about the two lists of a user: friends and blocked users.

use super::parameters::{ListRequest, PeopleRequest};
use super::results::{EmptyResult, PeopleResult};
use super::{Users, user};
use crate::api::{ApiError, ErrorKind};
use crate::members::{MemberError, RosterEdit};
use crate::presence::member_name::MemberName;
use crate::presence::roster::RosterKind;

/// Maximum number of people in one call.
const MAX_PEOPLE: usize = 1000;

impl Users {
    /// Adds friends of a user, all or none.
    pub async fn friends_add(&self, request: PeopleRequest) -> Result<EmptyResult, ApiError> {
        self.add_people(RosterKind::Friends, request).await
    }

    /// Removes friends of a user. Ignores people who are not on the list.
    pub async fn friends_remove(&self, request: PeopleRequest) -> Result<EmptyResult, ApiError> {
        self.remove_people(RosterKind::Friends, request).await
    }

    /// Returns the friends of a user, in the order in which they were added.
    pub async fn friends_list(&self, request: ListRequest) -> Result<PeopleResult, ApiError> {
        self.list_people(RosterKind::Friends, request).await
    }

    /// Makes the user look absent to these people, all or none.
    pub async fn block(&self, request: PeopleRequest) -> Result<EmptyResult, ApiError> {
        self.add_people(RosterKind::Blocked, request).await
    }

    /// Makes the user visible to these people again. Ignores people who are not blocked.
    pub async fn unblock(&self, request: PeopleRequest) -> Result<EmptyResult, ApiError> {
        self.remove_people(RosterKind::Blocked, request).await
    }

    /// Returns the people that the user blocks, in the order in which they were added.
    pub async fn block_list(&self, request: ListRequest) -> Result<PeopleResult, ApiError> {
        self.list_people(RosterKind::Blocked, request).await
    }

    async fn add_people(&self, kind: RosterKind, request: PeopleRequest) -> Result<EmptyResult, ApiError> {
        let names = names(&request.users)?;
        self.members.alter(kind, user(&request.user)?, RosterEdit::Add(names)).await?;
        Ok(EmptyResult {})
    }

    async fn remove_people(&self, kind: RosterKind, request: PeopleRequest) -> Result<EmptyResult, ApiError> {
        let users = names(&request.users)?.iter().map(MemberName::user).collect();
        self.members.alter(kind, user(&request.user)?, RosterEdit::Remove(users)).await?;
        Ok(EmptyResult {})
    }

    async fn list_people(&self, kind: RosterKind, request: ListRequest) -> Result<PeopleResult, ApiError> {
        let roster = self.members.roster(kind, user(&request.user)?).await?;
        Ok(PeopleResult { users: roster.names().iter().map(ToString::to_string).collect() })
    }
}

fn names(people: &[String]) -> Result<Vec<MemberName>, ApiError> {
    if people.is_empty() {
        return Err(ApiError::invalid("users: at least one is required"));
    }
    if people.len() > MAX_PEOPLE {
        return Err(ApiError::invalid(format!("users: at most {MAX_PEOPLE} a call")));
    }
    let name = |text: &String| MemberName::new(text).map_err(|error| ApiError::invalid(format!("users: {error}")));
    people.iter().map(name).collect()
}

impl From<MemberError> for ApiError {
    fn from(error: MemberError) -> Self {
        match error {
            MemberError::Engine(error) => error.into(),
            MemberError::TooMany(exceeded) => Self::invalid(exceeded.to_string()),
            MemberError::TooOften(_) => Self::new(ErrorKind::ResourceExhausted, "Called too often."),
            MemberError::Away => Self::new(ErrorKind::Unavailable, "The store is away, try again."),
            MemberError::Store => Self::new(ErrorKind::Internal, "The store failed."),
        }
    }
}
