//! Tencent's logged-in users ("members"): what lasts of them beyond their connections.
//!
//! [`Members`] is the handle for sessions and the server API: logins, subscriptions, friends, blocks, call limits.
//! [`registry`] decides, per shard, which users the devices of a member follow; [`shard`] is the actor that carries
//! this out through the public API of `engine/`; [`messages`] lists what it receives. [`remote_changes`] applies what
//! other nodes changed. The rules of a member's record are in `presence/member_record`, its storage in
//! `store/relations`.

mod device_guard;
mod exits;
mod messages;
mod registry;
mod remote_changes;
mod shard;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::{Mutex, oneshot};

use crate::clock::Clock;
use crate::cluster::NodeCommand;
use crate::config::TencentConfig;
use crate::engine::{Engine, EngineError};
use crate::outbox::{Address, Ticket};
use crate::presence::calls::{Call, TooOften};
use crate::presence::diff::Snapshot;
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;
use crate::presence::member_name::MemberName;
use crate::presence::member_record::{MemberRecord, RelationChange};
use crate::presence::privacy::View;
use crate::presence::quota::{Quota, QuotaExceeded};
use crate::presence::roster::{Roster, RosterKind};
use crate::presence::time::Timestamp;
use crate::store::StoreError;
use crate::store::last_seen::LastSeenStore;
use crate::store::relations::{RelationStore, RosterChange};

pub use device_guard::DeviceGuard;
pub use exits::KnownExits;
use exits::exit;
use messages::{ActivateDevice, RemoveDevice, ToMemberShard};
use registry::MemberLimits;
use shard::MemberShards;

/// Number of locks that serialize changes of lists.
const LIST_LOCKS: usize = 64;

/// Why an operation of a member failed. Nothing has changed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    /// The member exceeds its call limit.
    #[error("called too often")]
    TooOften(TooOften),
    /// The list would exceed its maximum length.
    #[error(transparent)]
    TooMany(#[from] QuotaExceeded),
    /// The engine refuses.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The store failed. The reason has been logged.
    #[error("the store failed")]
    Store,
    /// The store is away and may be asked again.
    #[error("the store is away")]
    Away,
}

impl From<StoreError> for MemberError {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Unavailable(_) | StoreError::Unwritable(_)) {
            // The loss of Redis, or the full disk, has been logged once.
            log::debug!("relations between users: {error}");
            return Self::Away;
        }
        log::error!("relations between users: {error}");
        Self::Store
    }
}

/// All members. Cheap to clone.
#[derive(Clone)]
pub struct Members(Arc<Inner>);

struct Inner {
    engine: Engine,
    shards: MemberShards,
    relations: Arc<dyn RelationStore>,
    last_seen: Option<Arc<dyn LastSeenStore>>,
    config: TencentConfig,
    /// Held while a list changes. Users are spread over the locks.
    list_locks: [Mutex<()>; LIST_LOCKS],
}

/// A login that has been written.
pub struct Login {
    /// The member's record.
    pub record: MemberRecord,
    /// The member's friends, where the server notifies members about friends.
    pub friends: Vec<MemberName>,
    /// How the followed users left.
    pub exits: KnownExits,
}

/// A change of a user's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RosterEdit {
    /// Adds these users, all or none.
    Add(Vec<MemberName>),
    /// Removes these users.
    Remove(Vec<UserId>),
}

/// Completes the work even when the caller goes away, because what is written has to take effect.
async fn run_to_completion<T: Send + 'static>(
    work: impl Future<Output = Result<T, MemberError>> + Send + 'static,
) -> Result<T, MemberError> {
    tokio::spawn(work).await.map_err(|_| EngineError::Stopped)?
}

impl Members {
    /// Starts the member shards on the engine's threads.
    pub fn start(
        engine: &Engine,
        relations: Arc<dyn RelationStore>,
        last_seen: Option<Arc<dyn LastSeenStore>>,
        config: &TencentConfig,
        clock: &Clock,
    ) -> Self {
        let shards = MemberShards::start(engine, &relations, MemberLimits::new(config), clock);
        let members = Self(Arc::new(Inner {
            engine: engine.clone(),
            shards,
            relations,
            last_seen,
            config: config.clone(),
            list_locks: [const { Mutex::const_new(()) }; LIST_LOCKS],
        }));
        members.listen();
        members
    }

    // ---- for sessions ----

    /// Registers a device and writes its login.
    pub async fn log_in(&self, member: UserId, device: &Address) -> Result<(Login, DeviceGuard), MemberError> {
        let Inner { shards, relations, config, .. } = &*self.0;
        let (answer, written) = oneshot::channel();
        let device_guard = DeviceGuard::new(shards.clone(), member, device.clone());
        shards.of(member).offer(ToMemberShard::LogIn { member, device: device.clone(), answer })?;
        let record = written.await.map_err(|_| EngineError::Stopped)??;
        let friends = match config.friend_status_notification {
            true => relations.roster(RosterKind::Friends, member).await?.names().to_vec(),
            false => Vec::new(),
        };
        let friends: Vec<MemberName> = friends.into_iter().filter(|name| name.user() != member).collect();
        let followed = record.subscriptions.users().chain(friends.iter().map(MemberName::user)).collect();
        Ok((Login { exits: self.exits(followed).await?, record, friends }, device_guard))
    }

    /// Makes a device follow what its member follows. The answers of `users` go to its outbox under `request`.
    pub fn activate(&self, member: UserId, device: &Address, login: Login, users: &[UserId], request: u32) {
        let Login { record, friends, exits } = login;
        let tickets = tickets(member, device, users, &exits, request);
        let activate = Box::new(ActivateDevice { member, device: device.clone(), record, friends, tickets });
        self.0.shards.of(member).deliver(ToMemberShard::Activate(activate));
    }

    /// Asks again the users that did not answer the device. Refused tickets are dropped, which tells the outbox.
    pub fn ask_again(&self, member: UserId, device: &Address, users: Vec<UserId>, request: u32) {
        let (members, device) = (self.clone(), device.clone());
        actix::spawn(async move {
            let exits = members.exits(users.clone()).await;
            let tickets = tickets(member, &device, &users, exits.as_ref().unwrap_or(&KnownExits::new()), request);
            if exits.is_ok()
                && let Err(error) = members.0.shards.of(member).offer(ToMemberShard::RetryFollows { member, tickets })
            {
                log::warn!("the follows of a device are refused: {error}");
            }
        });
    }

    /// Removes a device. Completes when the end of the login is written.
    pub async fn log_out(&self, member: UserId, device: &Address, exit: Exit) {
        let (answer, written) = oneshot::channel();
        let remove = RemoveDevice { member, device: device.clone(), exit, answer: Some(answer) };
        self.0.shards.of(member).deliver(ToMemberShard::RemoveDevice(remove));
        // The engine may stop first.
        let _stopped = written.await;
    }

    /// Whether users that never logged in are unknown to queries and subscriptions.
    pub fn is_strict(&self) -> bool {
        self.0.config.strict_accounts
    }

    /// Counts a call, or refuses it.
    pub async fn count(&self, member: UserId, call: Call) -> Result<(), MemberError> {
        let (answer, counted) = oneshot::channel();
        self.0.shards.of(member).offer(ToMemberShard::CountCall { member, call, answer })?;
        counted.await.map_err(|_| EngineError::Stopped)?.map_err(MemberError::TooOften)
    }

    /// Writes new subscriptions. Returns the record with all subscriptions.
    pub async fn subscribe(&self, member: UserId, names: Vec<MemberName>) -> Result<MemberRecord, MemberError> {
        let change = RelationChange::Subscribe { names, limit: self.0.config.subscriptions };
        self.change_and_announce(member, change).await
    }

    async fn change_and_announce(&self, member: UserId, change: RelationChange) -> Result<MemberRecord, MemberError> {
        let members = self.clone();
        run_to_completion(async move {
            let record = members.0.relations.change_member(member, change).await?.member;
            members.0.engine.send_to_nodes(member, NodeCommand::Subscriptions { revision: record.revision }).await;
            Ok(record)
        })
        .await
    }

    /// Makes the member's devices follow the written subscriptions. The answers of `users` go to the outbox of the
    /// device that asked, under `request`.
    pub fn follow(
        &self,
        member: UserId,
        device: &Address,
        record: MemberRecord,
        users: &[UserId],
        exits: &KnownExits,
        request: u32,
    ) {
        let tickets = tickets(member, device, users, exits, request);
        self.0.shards.of(member).deliver(ToMemberShard::SetSubscriptions { member, record, tickets, answer: None });
    }

    /// Ends these subscriptions, or all. When this returns, no device follows the users any more.
    pub async fn unsubscribe(&self, member: UserId, users: Option<Vec<UserId>>) -> Result<(), MemberError> {
        let record = self.change_and_announce(member, RelationChange::Unsubscribe(users)).await?;
        let (answer, unfollowed) = oneshot::channel();
        let change = ToMemberShard::SetSubscriptions { member, record, tickets: Vec::new(), answer: Some(answer) };
        self.0.shards.of(member).deliver(change);
        unfollowed.await.map_err(|_| EngineError::Stopped.into())
    }

    /// Returns what these users show to `asker`, in the order asked. Without an asker: what anybody may see.
    pub async fn views(
        &self,
        asker: Option<UserId>,
        users: &[UserId],
        exits: &KnownExits,
    ) -> Result<Vec<Snapshot>, EngineError> {
        let found = self.0.engine.snapshots(asker, users).await?;
        let shown = |&user: &UserId| {
            let snapshot = found.get(&user).cloned().unwrap_or_else(|| Snapshot::nothing(user));
            self.0.engine.shared_privacy().view(user, asker).snapshot(snapshot, exits.get(&user).copied())
        };
        Ok(users.iter().map(shown).collect())
    }

    /// Returns how these users left, as far as the stores know.
    pub async fn exits(&self, users: Vec<UserId>) -> Result<KnownExits, MemberError> {
        let login_states = self.0.relations.login_states(users.clone()).await?;
        let last_seen = match &self.0.last_seen {
            Some(last_seen) => last_seen.read(users.clone()).await?.into_iter().map(|last| last.online).collect(),
            None => vec![Timestamp::default(); users.len()],
        };
        let each = users.into_iter().zip(login_states).zip(last_seen);
        Ok(each.filter_map(|((user, login_state), online)| Some((user, exit(login_state, online)?))).collect())
    }

    // ---- for the server API ----

    /// Changes a user's list. When this returns, the change has taken effect on this node.
    pub async fn alter(&self, kind: RosterKind, owner: UserId, edit: RosterEdit) -> Result<Roster, MemberError> {
        let members = self.clone();
        run_to_completion(async move { members.alter_and_announce(kind, owner, edit).await }).await
    }

    async fn alter_and_announce(
        &self,
        kind: RosterKind,
        owner: UserId,
        edit: RosterEdit,
    ) -> Result<Roster, MemberError> {
        let Inner { relations, engine, config, .. } = &*self.0;
        let max = match kind {
            RosterKind::Friends => config.friends,
            RosterKind::Blocked => config.blocked,
        };
        let change = match edit {
            RosterEdit::Add(names) => RosterChange::Add(names, Quota::new(max)),
            RosterEdit::Remove(users) => RosterChange::Remove(users),
        };
        // The lock keeps the order of the writes also for their effects in memory.
        let lock = self.0.list_lock(owner).lock().await;
        let roster = relations.change_roster(kind, owner, change).await??;
        self.apply_roster(kind, owner, &roster).await?;
        drop(lock);
        engine.send_to_nodes(owner, NodeCommand::Roster(kind)).await;
        Ok(roster)
    }

    /// Applies a user's list to this node's privacy and follows.
    async fn apply_roster(&self, kind: RosterKind, owner: UserId, roster: &Roster) -> Result<(), EngineError> {
        let Inner { engine, shards, config, .. } = &*self.0;
        for other in engine.shared_privacy().set(kind, owner, roster) {
            let hide = engine.shared_privacy().view(owner, Some(other)) == View::Nothing;
            engine.set_hidden(owner, other, hide).await?;
        }
        if kind == RosterKind::Friends && config.friend_status_notification {
            let friends = roster.names().iter().filter(|name| name.user() != owner).cloned().collect();
            shards.of(owner).offer(ToMemberShard::SetFriends { member: owner, friends })?;
        }
        Ok(())
    }

    /// Returns a user's list.
    pub async fn roster(&self, kind: RosterKind, owner: UserId) -> Result<Roster, MemberError> {
        Ok(self.0.relations.roster(kind, owner).await?)
    }
}

impl Inner {
    /// The lock under which a user's lists change.
    fn list_lock(&self, owner: UserId) -> &Mutex<()> {
        &self.list_locks[usize::from(owner.uuid().as_bytes()[0]) % LIST_LOCKS]
    }
}

fn tickets(member: UserId, device: &Address, users: &[UserId], exits: &KnownExits, request: u32) -> Vec<Ticket> {
    let ticket =
        |&user: &UserId| Ticket::new(device.clone(), request, user).asked_by(member, exits.get(&user).copied());
    users.iter().map(ticket).collect()
}
