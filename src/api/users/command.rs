//! Every operation by name, for the faces that take several in one request.

use super::presence::{ConnectionInfo, Disconnection, UserView};
use super::status::UserStatus;
use super::{NodeInfo, Users};
use crate::api::ApiError;
use crate::presence::roster::RosterKind;

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// See [`Users::update_user_status`].
    UpdateUserStatus {
        /// At least one.
        users: Vec<String>,
        /// Empty: stays as it is.
        state: String,
    },
    /// See [`Users::get_user_status`].
    GetUserStatus {
        /// May be none.
        users: Vec<String>,
    },
    /// See [`Users::delete_user_status`].
    DeleteUserStatus {
        /// At least one.
        users: Vec<String>,
    },
    /// See [`Users::get_presence`].
    GetPresence {
        /// May be none.
        users: Vec<String>,
    },
    /// See [`Users::connections`].
    Connections {
        /// Whose.
        user: String,
    },
    /// See [`Users::disconnect`].
    Disconnect(Disconnection),
    /// See [`Users::info`].
    Info,
    /// See [`Users::add_to`].
    AddTo(RosterKind, People),
    /// See [`Users::remove_from`].
    RemoveFrom(RosterKind, People),
    /// See [`Users::list`].
    List(RosterKind, String),
}

/// Some people of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct People {
    /// Whose list it is.
    pub user: String,
    /// At least one.
    pub people: Vec<String>,
}

/// The answer to a [`Command`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Done.
    UpdateUserStatus,
    /// One for each user asked for, in that order.
    GetUserStatus(Vec<UserStatus>),
    /// Done.
    DeleteUserStatus,
    /// One for each user asked for, in that order.
    GetPresence(Vec<UserView>),
    /// The one that changed last at the end.
    Connections(Vec<ConnectionInfo>),
    /// Done.
    Disconnect,
    /// This server.
    Info(Vec<NodeInfo>),
    /// Done.
    Altered,
    /// In the order in which they were added.
    People(RosterKind, Vec<String>),
}

impl Users {
    /// Carries out one call.
    pub async fn call(&self, command: Command) -> Result<Reply, ApiError> {
        self.metrics.api().calls.inc();
        let result = self.carry_out(command).await;
        if result.is_err() {
            self.metrics.api().failures.inc();
        }
        result
    }

    async fn carry_out(&self, command: Command) -> Result<Reply, ApiError> {
        Ok(match command {
            Command::UpdateUserStatus { users, state } => {
                self.update_user_status(&users, &state)?;
                Reply::UpdateUserStatus
            }
            Command::GetUserStatus { users } => Reply::GetUserStatus(self.get_user_status(users).await?),
            Command::DeleteUserStatus { users } => {
                self.delete_user_status(&users).await?;
                Reply::DeleteUserStatus
            }
            Command::GetPresence { users } => Reply::GetPresence(self.get_presence(users).await?),
            Command::Connections { user } => Reply::Connections(self.connections(&user).await?),
            Command::Disconnect(disconnection) => {
                self.disconnect(&disconnection).await?;
                Reply::Disconnect
            }
            Command::Info => Reply::Info(self.info().await),
            Command::AddTo(kind, People { user, people }) => {
                self.add_to(kind, &user, &people).await?;
                Reply::Altered
            }
            Command::RemoveFrom(kind, People { user, people }) => {
                self.remove_from(kind, &user, &people).await?;
                Reply::Altered
            }
            Command::List(kind, user) => Reply::People(kind, self.list(kind, &user).await?),
        })
    }
}
