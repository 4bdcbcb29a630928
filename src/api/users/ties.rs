//! Friends, and whom users block.

use super::{Users, user};
use crate::api::{ApiError, ErrorKind};
use crate::engine::{AccountError, Edit};
use crate::presence::account::AccountName;
use crate::presence::roster::{Roster, RosterKind};

/// The most people that one call may name.
const MOST_PEOPLE: usize = 1000;

impl Users {
    /// Adds people to a user's list, all or none.
    pub async fn add_to(&self, kind: RosterKind, owner: &str, people: &[String]) -> Result<(), ApiError> {
        let names = names(people)?;
        self.accounts.alter(kind, user(owner)?, Edit::Add(names)).await?;
        Ok(())
    }

    /// Takes people out of a user's list; who is not there is passed over.
    pub async fn remove_from(&self, kind: RosterKind, owner: &str, people: &[String]) -> Result<(), ApiError> {
        let users = names(people)?.iter().map(AccountName::user).collect();
        self.accounts.alter(kind, user(owner)?, Edit::Remove(users)).await?;
        Ok(())
    }

    /// A user's list, in the order in which people were added.
    pub async fn list(&self, kind: RosterKind, owner: &str) -> Result<Vec<String>, ApiError> {
        let roster: Roster = self.accounts.roster(kind, user(owner)?).await?;
        Ok(roster.names().iter().map(ToString::to_string).collect())
    }
}

fn names(people: &[String]) -> Result<Vec<AccountName>, ApiError> {
    if people.is_empty() {
        return Err(ApiError::invalid("users: at least one is required"));
    }
    if people.len() > MOST_PEOPLE {
        return Err(ApiError::invalid(format!("users: at most {MOST_PEOPLE} a call")));
    }
    let name = |text: &String| AccountName::new(text).map_err(|error| ApiError::invalid(format!("users: {error}")));
    people.iter().map(name).collect()
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        match error {
            AccountError::Engine(error) => error.into(),
            AccountError::TooMany(exceeded) => Self::invalid(exceeded.to_string()),
            AccountError::TooOften(_) => Self::new(ErrorKind::ResourceExhausted, "Called too often."),
            AccountError::Away => Self::new(ErrorKind::Unavailable, "The store is away, try again."),
            AccountError::Store => Self::new(ErrorKind::Internal, "The store failed."),
        }
    }
}
