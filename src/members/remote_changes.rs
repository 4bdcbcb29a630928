//! Applies changes of lists and subscriptions that other nodes made.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

use super::messages::ToMemberShard;
use super::{Inner, MemberError, Members};
use crate::cluster::NodeCommand;
use crate::engine::{EngineError, RemoteCommands};
use crate::presence::id::UserId;
use crate::presence::roster::RosterKind;
use crate::store::StoreError;

/// Minimum time between two complete reads after missed commands.
const REREAD_INTERVAL: Duration = Duration::from_millis(500);

impl Members {
    /// Applies the commands of other nodes until the engine or the members are gone.
    pub(super) fn listen(&self) {
        if let Some(remote_commands) = self.0.engine.remote_commands() {
            actix::spawn(listen(Arc::downgrade(&self.0), remote_commands));
        }
    }

    async fn apply_command(&self, user: UserId, command: NodeCommand) -> Result<(), MemberError> {
        match command {
            NodeCommand::Roster(kind) => self.reread_roster(kind, user).await,
            NodeCommand::Subscriptions { revision } => self.reread_subscriptions(user, revision).await,
            // The engine handles these.
            NodeCommand::Close { .. } | NodeCommand::Activity { .. } => Ok(()),
        }
    }

    async fn reread_roster(&self, kind: RosterKind, owner: UserId) -> Result<(), MemberError> {
        let _lock = self.0.list_lock(owner).lock().await;
        let roster = self.0.relations.roster(kind, owner).await?;
        Ok(self.apply_roster(kind, owner, &roster).await?)
    }

    /// Reads subscriptions when devices of the member are here and know an older revision.
    async fn reread_subscriptions(&self, member: UserId, revision: u64) -> Result<(), MemberError> {
        let shard = self.0.shards.of(member);
        let (answer, revisions) = oneshot::channel();
        shard.offer(ToMemberShard::Revisions { member: Some(member), answer })?;
        let revisions = revisions.await.map_err(|_| EngineError::Stopped)?;
        if revisions.iter().any(|&(_, known)| known < revision) {
            let record = self.0.relations.member(member).await?;
            shard.deliver(ToMemberShard::SetSubscriptions { member, record, tickets: Vec::new(), answer: None });
        }
        Ok(())
    }

    /// Reads every list again that affects this node.
    async fn reread_all(&self) -> Result<(), MemberError> {
        let Inner { relations, engine, shards, .. } = &*self.0;
        for kind in RosterKind::ALL {
            let relations = relations.clone();
            let reading = tokio::task::spawn_blocking(move || relations.rosters(kind));
            let rosters = reading.await.map_err(|_| StoreError::Closed)??;
            let mut emptied: HashSet<UserId> = engine.shared_privacy().owners(kind).into_iter().collect();
            for (owner, roster) in &rosters {
                emptied.remove(owner);
                self.apply_roster(kind, *owner, roster).await?;
            }
            for owner in emptied {
                // A list that was made after the read is not empty.
                self.reread_roster(kind, owner).await?;
            }
        }
        for shard in shards.iter() {
            let (answer, revisions) = oneshot::channel();
            shard.offer(ToMemberShard::Revisions { member: None, answer })?;
            for (member, _) in revisions.await.map_err(|_| EngineError::Stopped)? {
                self.reread_subscriptions(member, u64::MAX).await?;
            }
        }
        Ok(())
    }
}

async fn listen(members: Weak<Inner>, mut remote_commands: RemoteCommands) {
    loop {
        tokio::select! {
            biased;
            next = remote_commands.commands.recv() => {
                let (Some((user, command)), Some(inner)) = (next, members.upgrade()) else { return };
                if let Err(error) = Members(inner).apply_command(user, command).await {
                    log::warn!("a change by another node is not applied yet: {error}");
                    remote_commands.missed.notify_one();
                }
            }
            () = remote_commands.missed.notified() => {
                tokio::time::sleep(REREAD_INTERVAL).await;
                let Some(inner) = members.upgrade() else { return };
                if let Err(error) = Members(inner).reread_all().await {
                    log::debug!("lists could not be read again yet: {error}");
                    remote_commands.missed.notify_one();
                }
            }
        }
    }
}
