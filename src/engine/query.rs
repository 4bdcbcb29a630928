//! Questions about users: what [`Engine`] answers to sessions, members and the server API.
//!
//! A question about a user that has no actor on this node goes to the other nodes.

use hashbrown::{HashMap, HashSet};
use tokio::sync::{mpsc, oneshot};

use super::messages::{IfAbsent, SharedMessage, ToShard, UserMessage};
use super::user::queries::visible_connections;
use super::{Engine, EngineError, UserInspection};
use crate::outbox::VisibleConnection;
use crate::presence::diff::Snapshot;
use crate::presence::general_status::GeneralStatus;
use crate::presence::id::UserId;

impl Engine {
    /// Returns the users that are visible to `asker` on at least one connection. Without an asker: visible to anybody.
    pub async fn online(&self, asker: Option<UserId>, users: Vec<UserId>) -> Result<HashSet<UserId>, EngineError> {
        let snapshots = self.snapshots(asker, &users).await?;
        let online = snapshots.into_iter().filter(|(_, shown)| shown.general_status() == GeneralStatus::Online);
        Ok(online.map(|(user, _)| user).collect())
    }

    /// Returns what the known users show to `asker`. Unknown users are absent from the result.
    pub async fn snapshots(
        &self,
        asker: Option<UserId>,
        users: &[UserId],
    ) -> Result<HashMap<UserId, Snapshot>, EngineError> {
        let (answer, mut answers) = mpsc::unbounded_channel();
        self.ask_each(users, &SharedMessage::Snapshot { asker, answer })?;
        let mut found = HashMap::new();
        while let Some(snapshot) = answers.recv().await {
            found.insert(snapshot.user, snapshot);
        }
        for other in self.remote_users(users, &found).await? {
            let view = self.shared_privacy().view(other.user(), asker);
            found.insert(other.user(), view.snapshot(other.snapshot(), None));
        }
        Ok(found)
    }

    /// Returns the user's connections that `asker` sees. The one that changed last is at the end.
    pub async fn visible(&self, asker: Option<UserId>, user: UserId) -> Result<Vec<VisibleConnection>, EngineError> {
        let (answer, shown) = oneshot::channel();
        self.offer(user, IfAbsent::Drop, UserMessage::VisibleConnections { asker, answer })?;
        if let Ok(shown) = shown.await {
            return Ok(shown);
        }
        // The user has no actor on this node.
        let others = self.remote_users([&user], &HashMap::<_, ()>::new()).await?;
        let shown = others.iter().flat_map(visible_connections).collect();
        Ok(self.shared_privacy().view(user, asker).list(shown))
    }

    /// Returns everything about the known users, including invisible connections. Not for clients. Unknown users are
    /// absent from the result.
    pub async fn inspect(&self, users: Vec<UserId>) -> Result<HashMap<UserId, UserInspection>, EngineError> {
        let (answer, mut answers) = mpsc::unbounded_channel();
        self.ask_each(&users, &SharedMessage::Inspect(answer))?;
        let mut found = HashMap::new();
        while let Some((user, inspection)) = answers.recv().await {
            found.insert(user, inspection);
        }
        let others = self.remote_users(&users, &found).await?;
        found.extend(others.iter().map(|other| (other.user(), UserInspection::of(other))));
        Ok(found)
    }

    /// Asks several users. The channel in the question closes after the last answer.
    fn ask_each(&self, users: &[UserId], question: &SharedMessage) -> Result<(), EngineError> {
        for (supervisor, users) in self.by_shard(users.iter().map(|&user| (user, user))) {
            let message = question.clone();
            supervisor.offer(ToShard::ToUsers { users, if_absent: IfAbsent::Drop, message })?;
        }
        Ok(())
    }
}
