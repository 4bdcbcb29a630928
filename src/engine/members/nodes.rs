//! Lists that other nodes have changed.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Inner, Members};
use crate::cluster::NodeCommand;
use crate::engine::cluster::RemoteCommands;
use crate::engine::member_handlers::{Relist, Seated};
use crate::engine::{EngineError, MemberError};
use crate::presence::id::UserId;
use crate::presence::roster::RosterKind;
use crate::store::StoreError;

/// What was missed is read again no more often than this.
const PAUSE: Duration = Duration::from_millis(500);

impl Members {
    /// Carries out what other nodes say of lists, until the engine or the accounts are gone.
    pub(super) fn listen(&self) {
        if let Some(remote_commands) = self.0.engine.remote_commands() {
            actix::spawn(listen(Arc::downgrade(&self.0), remote_commands));
        }
    }

    async fn carry_out(&self, user: UserId, order: NodeCommand) -> Result<(), MemberError> {
        match order {
            NodeCommand::Roster(kind) => self.read_roster(kind, user).await,
            NodeCommand::Listed { revision } => self.read_subscriptions(user, revision).await,
            // They are the engine's business.
            NodeCommand::Close { .. } | NodeCommand::Seen { .. } => Ok(()),
        }
    }

    async fn read_roster(&self, kind: RosterKind, owner: UserId) -> Result<(), MemberError> {
        let Inner { relations, altering, .. } = &*self.0;
        let _turn = altering[usize::from(owner.uuid().as_bytes()[0]) % super::ALTERING].lock().await;
        let roster = relations.roster(kind, owner).await?;
        Ok(self.take(kind, owner, &roster).await?)
    }

    /// Only where devices of the account are here that do not know this revision.
    async fn read_subscriptions(&self, member: UserId, revision: u64) -> Result<(), MemberError> {
        let (answer, seated) = oneshot::channel();
        let supervisor = self.0.engine.supervisor(member);
        supervisor.offer(Seated { member: Some(member), answer })?;
        let seated = seated.await.map_err(|_| EngineError::Stopped)?;
        if seated.iter().any(|&(_, known)| known < revision) {
            let standing = self.0.relations.standing(member).await?;
            supervisor.deliver(Relist { member, standing, tickets: Vec::new(), answer: None });
        }
        Ok(())
    }

    /// Reads every list again that matters here.
    async fn read_all(&self) -> Result<(), MemberError> {
        let Inner { relations, shared_privacy, engine, .. } = &*self.0;
        for kind in RosterKind::ALL {
            let relations = relations.clone();
            let reading = tokio::task::spawn_blocking(move || relations.rosters(kind));
            let rosters = reading.await.map_err(|_| StoreError::Closed)??;
            let mut emptied: HashSet<UserId> = shared_privacy.owners(kind).into_iter().collect();
            for (owner, roster) in &rosters {
                emptied.remove(owner);
                self.take(kind, *owner, roster).await?;
            }
            for owner in emptied {
                // One that was made since the lists were read is not empty.
                self.read_roster(kind, owner).await?;
            }
        }
        for supervisor in engine.supervisors() {
            let (answer, seated) = oneshot::channel();
            supervisor.offer(Seated { member: None, answer })?;
            for (member, _) in seated.await.map_err(|_| EngineError::Stopped)? {
                self.read_subscriptions(member, u64::MAX).await?;
            }
        }
        Ok(())
    }
}

async fn listen(members: Weak<Inner>, mut remote_commands: RemoteCommands) {
    loop {
        tokio::select! {
            biased;
            next = remote_commands.orders.recv() => {
                let (Some((user, order)), Some(inner)) = (next, members.upgrade()) else { return };
                if let Err(error) = Members(inner).carry_out(user, order).await {
                    log::warn!("what another node changed is not known here yet: {error}");
                    remote_commands.missed.notify_one();
                }
            }
            () = remote_commands.missed.notified() => {
                tokio::time::sleep(PAUSE).await;
                let Some(inner) = members.upgrade() else { return };
                if let Err(error) = Members(inner).read_all().await {
                    log::debug!("lists could not be read again yet: {error}");
                    remote_commands.missed.notify_one();
                }
            }
        }
    }
}
