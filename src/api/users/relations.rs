//! Friends, and whom users block.

use super::{Users, user};
use crate::api::{ApiError, ErrorKind};
use crate::members::{MemberError, RosterEdit};
use crate::presence::member_name::MemberName;
use crate::presence::roster::{Roster, RosterKind};

/// The most people that one call may name.
const MAX_PEOPLE: usize = 1000;

impl Users {
    /// Adds people to a user's list, all or none.
    pub async fn add_to(&self, kind: RosterKind, owner: &str, people: &[String]) -> Result<(), ApiError> {
        let names = names(people)?;
        self.members.alter(kind, user(owner)?, RosterEdit::Add(names)).await?;
        Ok(())
    }

    /// Takes people out of a user's list; who is not there is passed over.
    pub async fn remove_from(&self, kind: RosterKind, owner: &str, people: &[String]) -> Result<(), ApiError> {
        let users = names(people)?.iter().map(MemberName::user).collect();
        self.members.alter(kind, user(owner)?, RosterEdit::Remove(users)).await?;
        Ok(())
    }

    /// A user's list, in the order in which people were added.
    pub async fn list(&self, kind: RosterKind, owner: &str) -> Result<Vec<String>, ApiError> {
        let roster: Roster = self.members.roster(kind, user(owner)?).await?;
        Ok(roster.names().iter().map(ToString::to_string).collect())
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
