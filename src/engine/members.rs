//! Accounts: what lasts of a user beyond its connections, for sessions and the server's own side.

mod nodes;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, oneshot};

use super::device_guard::DeviceGuard;
use super::member_handlers::{Arrive, AskAgain, Befriend, CountCall, Depart, Enter, Relist};
use super::shared_privacy::SharedPrivacy;
use super::{Engine, EngineError};
use crate::cluster::NodeCommand;
use crate::config::TencentConfig;
use crate::outbox::{Address, Ticket};
use crate::presence::calls::{Call, TooOften};
use crate::presence::diff::Snapshot;
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;
use crate::presence::member_name::MemberName;
use crate::presence::member_record::{LoginState, MemberRecord, RelationChange};
use crate::presence::quota::{Quota, QuotaExceeded};
use crate::presence::roster::{Roster, RosterKind};
use crate::presence::time::Timestamp;
use crate::store::StoreError;
use crate::store::last_seen::LastSeenStore;
use crate::store::relations::{RelationStore, RosterChange};

/// Locks of those who change lists.
const ALTERING: usize = 64;

/// A user that was visible this much later than it logged out has come back by another door since: what a logout itself
/// leaves behind is no later.
const AFTER_LOGOUT: Duration = Duration::from_secs(5);

/// Why something was not done for an account. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// The account calls too often.
    #[error("called too often")]
    TooOften(TooOften),
    /// The list would be longer than it may.
    #[error(transparent)]
    TooMany(#[from] QuotaExceeded),
    /// The engine refuses.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store refuses; that has been logged.
    #[error("the store failed")]
    Store,
    /// The store is away and may be asked again.
    #[error("the store is away")]
    Away,
}

impl From<StoreError> for MemberError {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Unavailable(_)) {
            // That Redis is away has been logged once.
            log::debug!("ties between users: {error}");
            return Self::Away;
        }
        log::error!("ties between users: {error}");
        Self::Store
    }
}

/// How users left, of those of whom that is known.
pub type Exits = HashMap<UserId, Exit>;

/// What lasts of accounts. Cheap to clone.
#[derive(Clone)]
pub struct Members(Arc<Inner>);

struct Inner {
    engine: Engine,
    relations: Arc<dyn RelationStore>,
    last_seen: Option<Arc<dyn LastSeenStore>>,
    shared_privacy: SharedPrivacy,
    config: TencentConfig,
    /// Held while a list is changed; users share them, evenly.
    altering: [Mutex<()>; ALTERING],
}

/// A login that has been written down.
pub struct Arrived {
    /// What lasts of the account.
    pub standing: MemberRecord,
    /// Its friends, where it is told of them unasked.
    pub friends: Vec<MemberName>,
    /// How those it follows left.
    pub exits: Exits,
}

/// Does something also if whoever asked is gone meanwhile: what is written has to take effect.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, MemberError>> + Send + 'static,
) -> Result<T, MemberError> {
    tokio::spawn(work).await.map_err(|_| EngineError::Stopped)?
}

impl Members {
    /// Over this engine and these stores.
    pub fn new(
        engine: Engine,
        relations: Arc<dyn RelationStore>,
        last_seen: Option<Arc<dyn LastSeenStore>>,
        shared_privacy: SharedPrivacy,
        config: &TencentConfig,
    ) -> Self {
        let (config, altering) = (config.clone(), [const { Mutex::const_new(()) }; ALTERING]);
        let members = Self(Arc::new(Inner { engine, relations, last_seen, shared_privacy, config, altering }));
        members.listen();
        members
    }

    // ---- for sessions ----

    /// Writes a login down; the device has its seat from before that.
    pub async fn arrive(&self, member: UserId, device: &Address) -> Result<(Arrived, DeviceGuard), MemberError> {
        let Inner { engine, relations, config, .. } = &*self.0;
        let (answer, written) = oneshot::channel();
        let device_guard = DeviceGuard::new(engine.clone(), member, device.clone());
        engine.supervisor(member).offer(Arrive { member, device: device.clone(), answer })?;
        let standing = written.await.map_err(|_| EngineError::Stopped)??;
        let friends = match config.friend_status_notification {
            true => relations.roster(RosterKind::Friends, member).await?.names().to_vec(),
            false => Vec::new(),
        };
        let friends: Vec<MemberName> = friends.into_iter().filter(|name| name.user() != member).collect();
        let followed = standing.subscriptions.users().chain(friends.iter().map(MemberName::user)).collect();
        Ok((Arrived { exits: self.exits(followed).await?, standing, friends }, device_guard))
    }

    /// A device of the account follows what the account follows; `users` are answered to its outbox under `request`.
    pub fn enter(&self, member: UserId, device: &Address, arrived: Arrived, users: &[UserId], request: u32) {
        let Arrived { standing, friends, exits } = arrived;
        let tickets = tickets(member, device, users, &exits, request);
        let enter = Enter { member, device: device.clone(), standing, friends, tickets };
        self.0.engine.supervisor(member).deliver(enter);
    }

    /// Asks these users again whom the device asked for; refused, the tickets say so to the outbox.
    pub fn ask_again(&self, member: UserId, device: &Address, users: Vec<UserId>, request: u32) {
        let (members, device) = (self.clone(), device.clone());
        actix::spawn(async move {
            let exits = members.exits(users.clone()).await;
            let tickets = tickets(member, &device, &users, exits.as_ref().unwrap_or(&Exits::new()), request);
            if exits.is_ok()
                && let Err(error) = members.0.engine.supervisor(member).offer(AskAgain { member, tickets })
            {
                log::warn!("a command was not taken: {error}");
            }
        });
    }

    /// A device of the account is gone. Completes when that is written down.
    pub async fn depart(&self, member: UserId, device: &Address, exit: Exit) {
        let (answer, written) = oneshot::channel();
        let depart = Depart { member, device: device.clone(), exit, answer: Some(answer) };
        self.0.engine.supervisor(member).deliver(depart);
        // The engine may stop first.
        let _stopped = written.await;
    }

    /// Whether a user who never logged in is no account.
    pub fn is_strict(&self) -> bool {
        self.0.config.strict_accounts
    }

    /// Counts a call, or refuses it.
    pub async fn count(&self, member: UserId, call: Call) -> Result<(), MemberError> {
        let (answer, counted) = oneshot::channel();
        self.0.engine.supervisor(member).offer(CountCall { member, call, answer })?;
        counted.await.map_err(|_| EngineError::Stopped)?.map_err(MemberError::TooOften)
    }

    /// Writes subscriptions down; returns all there are then.
    pub async fn subscribe(&self, member: UserId, names: Vec<MemberName>) -> Result<MemberRecord, MemberError> {
        let change = RelationChange::Subscribe { names, limit: self.0.config.subscriptions };
        self.change_and_tell(member, change).await
    }

    async fn change_and_tell(&self, member: UserId, change: RelationChange) -> Result<MemberRecord, MemberError> {
        let members = self.clone();
        to_the_end(async move {
            let standing = members.0.relations.change(member, change).await?.standing;
            members.0.engine.tell_nodes(member, NodeCommand::Listed { revision: standing.revision }).await;
            Ok(standing)
        })
        .await
    }

    /// Has the account's devices follow the subscriptions that there are; `users` are answered to the outbox of the device
    /// that asked, under `request`.
    pub fn follow(
        &self,
        member: UserId,
        device: &Address,
        standing: MemberRecord,
        users: &[UserId],
        exits: &Exits,
        request: u32,
    ) {
        let tickets = tickets(member, device, users, exits, request);
        self.0.engine.supervisor(member).deliver(Relist { member, standing, tickets, answer: None });
    }

    /// Ends subscriptions, or all. When this returns no device is told of them any more.
    pub async fn unsubscribe(&self, member: UserId, users: Option<Vec<UserId>>) -> Result<(), MemberError> {
        let standing = self.change_and_tell(member, RelationChange::Unsubscribe(users)).await?;
        let (answer, told) = oneshot::channel();
        let relist = Relist { member, standing, tickets: Vec::new(), answer: Some(answer) };
        self.0.engine.supervisor(member).deliver(relist);
        told.await.map_err(|_| EngineError::Stopped.into())
    }

    /// What these users show to somebody, in the order asked; none asks: what anybody may see.
    pub async fn views(
        &self,
        asker: Option<UserId>,
        users: &[UserId],
        exits: &Exits,
    ) -> Result<Vec<Snapshot>, EngineError> {
        let found = self.0.engine.views(asker, users).await?;
        let shown = |&user: &UserId| {
            let mut snapshot = found.get(&user).cloned().unwrap_or_else(|| Snapshot::nothing(user));
            if asker.is_some_and(|asker| self.0.shared_privacy.hides(user, asker)) {
                return snapshot.concealed();
            }
            snapshot.own.exit = snapshot.own.exit.or_else(|| exits.get(&user).copied());
            snapshot
        };
        Ok(users.iter().map(shown).collect())
    }

    /// How these users left, as far as the stores know; those are absent of whom nothing is known.
    pub async fn exits(&self, users: Vec<UserId>) -> Result<Exits, MemberError> {
        let attendances = self.0.relations.login_states(users.clone()).await?;
        let last_seen = match &self.0.last_seen {
            Some(last_seen) => last_seen.read(users.clone()).await?.into_iter().map(|last| last.online).collect(),
            None => vec![Timestamp::default(); users.len()],
        };
        let each = users.into_iter().zip(attendances).zip(last_seen);
        Ok(each.filter_map(|((user, login_states), online)| Some((user, exit(login_states, online)?))).collect())
    }

    // ---- for the server's own side ----

    /// Adds people to a user's list, or takes them out; what follows from that has happened when this returns.
    pub async fn alter(&self, kind: RosterKind, owner: UserId, change: Edit) -> Result<Roster, MemberError> {
        let members = self.clone();
        to_the_end(async move { members.alter_and_tell(kind, owner, change).await }).await
    }

    async fn alter_and_tell(&self, kind: RosterKind, owner: UserId, change: Edit) -> Result<Roster, MemberError> {
        let Inner { relations, engine, config, altering, .. } = &*self.0;
        let most = match kind {
            RosterKind::Friends => config.friends,
            RosterKind::Blocked => config.blocked,
        };
        let change = match change {
            Edit::Add(names) => RosterChange::Add(names, Quota::new(most)),
            Edit::Remove(users) => RosterChange::Remove(users),
        };
        // What is written first takes effect first, also in memory.
        let turn = altering[usize::from(owner.uuid().as_bytes()[0]) % ALTERING].lock().await;
        let roster = relations.alter(kind, owner, change).await??;
        self.take(kind, owner, &roster).await?;
        drop(turn);
        engine.tell_nodes(owner, NodeCommand::Roster(kind)).await;
        Ok(roster)
    }

    /// What follows from a user's list here.
    async fn take(&self, kind: RosterKind, owner: UserId, roster: &Roster) -> Result<(), EngineError> {
        let Inner { shared_privacy, engine, config, .. } = &*self.0;
        for other in shared_privacy.set(kind, owner, roster) {
            engine.set_hidden(owner, other, shared_privacy.hides(owner, other)).await?;
        }
        if kind == RosterKind::Friends && config.friend_status_notification {
            let friends = roster.names().iter().filter(|name| name.user() != owner).cloned().collect();
            engine.supervisor(owner).offer(Befriend { member: owner, friends })?;
        }
        Ok(())
    }

    /// A user's list.
    pub async fn roster(&self, kind: RosterKind, owner: UserId) -> Result<Roster, MemberError> {
        Ok(self.0.relations.roster(kind, owner).await?)
    }
}

/// A change of a user's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Edit {
    /// Add these, all or none.
    Add(Vec<MemberName>),
    /// Take these out.
    Remove(Vec<UserId>),
}

fn tickets(member: UserId, device: &Address, users: &[UserId], exits: &Exits, request: u32) -> Vec<Ticket> {
    let ticket = |&user: &UserId| Ticket::new(device.clone(), request, user).of(member, exits.get(&user).copied());
    users.iter().map(ticket).collect()
}

/// How a user left by its logins, and by when it was last visible at all.
fn exit(login_states: LoginState, online: Timestamp) -> Option<Exit> {
    match login_states {
        LoginState::In | LoginState::Lost(_) => Some(Exit::Lost),
        LoginState::LoggedOut(at) if online > at + AFTER_LOGOUT => Some(Exit::Lost),
        LoginState::LoggedOut(_) => Some(Exit::LoggedOut),
        LoginState::Never => (online > Timestamp::default()).then_some(Exit::Lost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_here_after_a_logout_was_lost_since() {
        let at = Timestamp::from_secs;
        assert_eq!(exit(LoginState::Never, at(0)), None);
        assert_eq!(exit(LoginState::Never, at(7)), Some(Exit::Lost), "by another door");
        assert_eq!(exit(LoginState::In, at(0)), Some(Exit::Lost));
        assert_eq!(exit(LoginState::LoggedOut(at(100)), at(101)), Some(Exit::LoggedOut), "its own end");
        assert_eq!(exit(LoginState::LoggedOut(at(100)), at(200)), Some(Exit::Lost));
    }
}
