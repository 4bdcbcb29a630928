//! Lists that other nodes have changed.

use std::collections::HashSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::oneshot;

use super::{Accounts, Inner};
use crate::cluster::Order;
use crate::engine::nodes::Notices;
use crate::engine::reception::{Relist, Seated};
use crate::engine::{AccountError, EngineError};
use crate::presence::id::UserId;
use crate::presence::roster::RosterKind;
use crate::store::StoreError;

/// What was missed is read again no more often than this.
const PAUSE: Duration = Duration::from_millis(500);

impl Accounts {
    /// Carries out what other nodes say of lists, until the engine or the accounts are gone.
    pub(super) fn listen(&self) {
        if let Some(notices) = self.0.engine.notices() {
            actix::spawn(listen(Arc::downgrade(&self.0), notices));
        }
    }

    async fn carry_out(&self, user: UserId, order: Order) -> Result<(), AccountError> {
        match order {
            Order::Roster(kind) => self.read_roster(kind, user).await,
            Order::Listed { revision } => self.read_subscriptions(user, revision).await,
            // They are the engine's business.
            Order::Close { .. } | Order::Seen { .. } => Ok(()),
        }
    }

    async fn read_roster(&self, kind: RosterKind, owner: UserId) -> Result<(), AccountError> {
        let Inner { ties, altering, .. } = &*self.0;
        let _turn = altering[usize::from(owner.uuid().as_bytes()[0]) % super::ALTERING].lock().await;
        let roster = ties.roster(kind, owner).await?;
        Ok(self.take(kind, owner, &roster).await?)
    }

    /// Only where devices of the account are here that do not know this revision.
    async fn read_subscriptions(&self, account: UserId, revision: u64) -> Result<(), AccountError> {
        let (answer, seated) = oneshot::channel();
        let supervisor = self.0.engine.supervisor(account);
        supervisor.offer(Seated { account: Some(account), answer })?;
        let seated = seated.await.map_err(|_| EngineError::Stopped)?;
        if seated.iter().any(|&(_, known)| known < revision) {
            let standing = self.0.ties.standing(account).await?;
            supervisor.deliver(Relist { account, standing, tickets: Vec::new(), answer: None });
        }
        Ok(())
    }

    /// Reads every list again that matters here.
    async fn read_all(&self) -> Result<(), AccountError> {
        let Inner { ties, veil, engine, .. } = &*self.0;
        for kind in RosterKind::ALL {
            let ties = ties.clone();
            let reading = tokio::task::spawn_blocking(move || ties.rosters(kind));
            let rosters = reading.await.map_err(|_| StoreError::Closed)??;
            let mut emptied: HashSet<UserId> = veil.owners(kind).into_iter().collect();
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
            supervisor.offer(Seated { account: None, answer })?;
            for (account, _) in seated.await.map_err(|_| EngineError::Stopped)? {
                self.read_subscriptions(account, u64::MAX).await?;
            }
        }
        Ok(())
    }
}

async fn listen(accounts: Weak<Inner>, mut notices: Notices) {
    loop {
        tokio::select! {
            biased;
            next = notices.orders.recv() => {
                let (Some((user, order)), Some(inner)) = (next, accounts.upgrade()) else { return };
                if let Err(error) = Accounts(inner).carry_out(user, order).await {
                    log::warn!("what another node changed is not known here yet: {error}");
                    notices.missed.notify_one();
                }
            }
            () = notices.missed.notified() => {
                tokio::time::sleep(PAUSE).await;
                let Some(inner) = accounts.upgrade() else { return };
                if let Err(error) = Accounts(inner).read_all().await {
                    log::debug!("lists could not be read again yet: {error}");
                    notices.missed.notify_one();
                }
            }
        }
    }
}
