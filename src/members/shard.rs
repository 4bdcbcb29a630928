//! The actor that owns the members of one shard, on that shard's thread.
//!
//! It carries out what the [registry](super::registry) decides: it follows and unfollows through the engine, counts
//! calls, and writes logins and their ends to the store. All follows of one member start here, in one order.

use std::sync::Arc;

use actix::{Actor, Context, Handler};
use hashbrown::HashSet;
use tokio::sync::{mpsc, oneshot};

use super::messages::{ActivateDevice, LoginAnswer, RemoveDevice, ToMemberShard};
use super::registry::{EndedLogin, FollowChange, MemberLimits, MemberRegistry};
use crate::clock::Clock;
use crate::cluster::CallWindow;
use crate::engine::{ClusterHandle, Counted, Engine, Mailbox, WeakEngine};
use crate::outbox::{Address, Ticket};
use crate::presence::calls::{Call, TooOften};
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;
use crate::presence::member_name::MemberName;
use crate::presence::member_record::{MemberRecord, NodeContext, RelationChange};
use crate::presence::time::Timestamp;
use crate::store::StoreError;
use crate::store::relations::RelationStore;

/// Routes to the member shards. Cheap to clone.
#[derive(Clone)]
pub struct MemberShards {
    engine: Engine,
    mailboxes: Arc<[Mailbox<ToMemberShard>]>,
}

impl MemberShards {
    /// Starts an actor on every shard's thread.
    pub fn start(engine: &Engine, relations: &Arc<dyn RelationStore>, limits: MemberLimits, clock: &Clock) -> Self {
        let (weak, relations, clock) = (engine.downgrade(), relations.clone(), clock.clone());
        let build = move |own: Mailbox<ToMemberShard>| MemberShard {
            registry: MemberRegistry::new(limits),
            engine: weak,
            relations,
            clock,
            own,
        };
        Self { engine: engine.clone(), mailboxes: engine.start_on_shards(build).into() }
    }

    /// Returns the mailbox of the shard that owns a member.
    pub fn of(&self, member: UserId) -> &Mailbox<ToMemberShard> {
        &self.mailboxes[self.engine.shard_of(member)]
    }

    /// Returns the mailboxes of all shards.
    pub fn iter(&self) -> impl Iterator<Item = &Mailbox<ToMemberShard>> {
        self.mailboxes.iter()
    }
}

/// The members of one shard.
pub struct MemberShard {
    registry: MemberRegistry,
    /// Weak, because the engine's threads own the actor.
    engine: WeakEngine,
    relations: Arc<dyn RelationStore>,
    clock: Clock,
    /// The mailbox of this actor, for the results of writes.
    own: Mailbox<ToMemberShard>,
}

impl Actor for MemberShard {
    type Context = Context<Self>;
}

impl Handler<Counted<ToMemberShard>> for MemberShard {
    type Result = ();

    fn handle(&mut self, counted: Counted<ToMemberShard>, _: &mut Self::Context) {
        // Without an engine the server has stopped. The answers are dropped.
        let Some(engine) = self.engine.upgrade() else { return };
        match counted.content {
            ToMemberShard::CountCall { member, call, answer } => self.count_call(&engine, member, call, answer),
            ToMemberShard::LogIn { member, device, answer } => self.log_in(&engine, member, device, answer),
            ToMemberShard::LoginWritten { member, device, written, answer } => {
                self.login_written(&engine, member, device, written, answer);
            }
            ToMemberShard::Activate(activate) => self.activate(&engine, *activate),
            ToMemberShard::SetSubscriptions { member, record, tickets, answer } => {
                self.set_subscriptions(&engine, member, &record, tickets);
                // The asker may have gone.
                answer.map(|answer| answer.send(()));
            }
            ToMemberShard::RetryFollows { member, tickets } => self.pass_on(&engine, member, tickets),
            ToMemberShard::SetFriends { member, friends } => {
                if let Some(change) = self.registry.set_friends(member, friends) {
                    carry_out(&engine, member, &change, None);
                }
            }
            ToMemberShard::RemoveDevice(remove) => self.remove_device(&engine, remove),
            ToMemberShard::Revisions { member, answer } => {
                // The asker may have gone.
                drop(answer.send(self.registry.revisions(member)));
            }
        }
    }
}

impl MemberShard {
    /// Counts a call: over all nodes where there are others, otherwise here.
    fn count_call(
        &mut self,
        engine: &Engine,
        member: UserId,
        call: Call,
        answer: oneshot::Sender<Result<(), TooOften>>,
    ) {
        let now = self.clock.now();
        let Some(cluster) = engine.cluster().cloned() else {
            // The asker may have gone.
            let _asker_gone = answer.send(self.registry.count_call(member, call, now));
            return;
        };
        let MemberLimits { calls: limit, window, .. } = self.registry.limits();
        let window = CallWindow { name: call.name(), limit, span: window };
        actix::spawn(async move {
            match cluster.backplane.take_call(member, window).await {
                Ok(taken) => drop(answer.send(taken.map_err(|wait| TooOften { limit, again: now + wait }))),
                // The answer is dropped, which tells the caller to try again.
                Err(error) => log::debug!("a call could not be counted: {error}"),
            }
        });
    }

    /// Registers a device and writes its login. The write does not depend on the session: the registry has to learn the
    /// number of the login even when nobody waits for it any more.
    fn log_in(&mut self, engine: &Engine, member: UserId, device: Address, answer: LoginAnswer) {
        self.registry.register(member, device.clone());
        let (now, lifetime) = (self.clock.time_of_day(), self.registry.limits().lifetime);
        let (relations, own) = (self.relations.clone(), self.own.clone());
        let (cluster, recorder) = (engine.cluster().cloned(), engine.recorder().clone());
        actix::spawn(async move {
            // A single node sees every member go, or notices the loss when it starts.
            let last_seen = match cluster {
                Some(_) => recorder.record(member).await.last_seen.online,
                None => Timestamp::default(),
            };
            let node_context = node_context(cluster).await;
            let change = RelationChange::LogIn { now, lifetime, node_context, last_seen };
            let written = relations.change_member(member, change).await.map(|changed| changed.member);
            own.deliver(ToMemberShard::LoginWritten { member, device, written, answer });
        });
    }

    fn login_written(
        &mut self,
        engine: &Engine,
        member: UserId,
        device: Address,
        written: Result<MemberRecord, StoreError>,
        answer: LoginAnswer,
    ) {
        if let Ok(record) = &written
            && let Some(ended) = self.registry.login_written(member, record.logins)
        {
            self.end_login(engine, RemoveDevice { member, device, exit: Exit::Lost, answer: None }, ended);
        }
        // The asker may have gone.
        drop(answer.send(written));
    }

    fn activate(&mut self, engine: &Engine, activate: ActivateDevice) {
        let ActivateDevice { member, device, record, friends, tickets } = activate;
        let requested = requested(&tickets);
        let Some(activation) = self.registry.activate(member, &device, &record, friends, requested) else { return };
        carry_out(engine, member, &activation.others, None);
        follow_silently(engine, member, &device, &activation.missing.iter().collect::<Vec<_>>());
        self.pass_on(engine, member, tickets);
    }

    fn set_subscriptions(&mut self, engine: &Engine, member: UserId, record: &MemberRecord, tickets: Vec<Ticket>) {
        if let Some(change) = self.registry.set_subscriptions(member, record) {
            let requested = requested(&tickets);
            carry_out(engine, member, &change, tickets.first().map(|ticket| (ticket.address(), &requested)));
        }
        self.pass_on(engine, member, tickets);
    }

    fn remove_device(&mut self, engine: &Engine, remove: RemoveDevice) {
        let (member, now) = (remove.member, self.clock.now());
        let followed: Vec<UserId> = self.registry.followed(member).into_iter().collect();
        match self.registry.remove(member, &remove.device, now) {
            Some(ended) => self.end_login(engine, remove, ended),
            None => {
                engine.unfollow_silently(&followed, &remove.device);
                // The asker may have gone.
                remove.answer.map(|answer| answer.send(()));
            }
        }
    }

    /// Passes a device's tickets to the engine. A ticket for a user that the member does not follow, or no longer
    /// follows, gets one answer and no later changes.
    fn pass_on(&self, engine: &Engine, member: UserId, tickets: Vec<Ticket>) {
        let followed = self.registry.followed(member);
        let limit = |ticket: Ticket| {
            let user = ticket.user();
            if user == member || followed.contains(&user) { ticket } else { ticket.without_changes() }
        };
        if let Err(error) = engine.follow_tickets(tickets.into_iter().map(limit).collect()) {
            log::warn!("the follows of a device are refused: {error}");
        }
    }

    /// Writes how a login ended, and the last status that was delivered of each subscription.
    fn end_login(&self, engine: &Engine, remove: RemoveDevice, ended: EndedLogin) {
        let RemoveDevice { member, device, exit, answer } = remove;
        engine.unfollow_silently(&ended.others, &device);
        let (reports, mut reported) = mpsc::unbounded_channel();
        engine.unfollow_and_report(&ended.subscriptions, &device, &reports);
        drop(reports);
        let (relations, clock, cluster) = (self.relations.clone(), self.clock.clone(), engine.cluster().cloned());
        actix::spawn(async move {
            let mut delivered = Vec::new();
            while let Some(one) = reported.recv().await {
                delivered.push(one);
            }
            let node_context = node_context(cluster).await;
            let now = clock.time_of_day();
            let change = RelationChange::LeaveNode { exit, delivered, login: ended.login, node_context, now };
            if let Err(error) = relations.change_member(member, change).await {
                log::warn!("the end of a login could not be written: {error}");
            }
            // The asker may have gone.
            answer.map(|answer| answer.send(()));
        });
    }
}

/// Makes all devices of a member follow and unfollow. The `asking` device follows its users by its own tickets.
fn carry_out(engine: &Engine, member: UserId, change: &FollowChange, asking: Option<(&Address, &HashSet<UserId>)>) {
    for device in &change.devices {
        device.remove_aliases(&change.removed);
        engine.unfollow_silently(&change.removed, device);
        let requested = asking.filter(|(address, _)| *address == device).map(|(_, users)| users);
        let added = change.added.iter().filter(|name| requested.is_none_or(|users| !users.contains(&name.user())));
        follow_silently(engine, member, device, &added.collect::<Vec<_>>());
    }
}

/// Makes a device follow users without an answer.
fn follow_silently(engine: &Engine, member: UserId, device: &Address, names: &[&MemberName]) {
    device.add_aliases(names.iter().copied());
    let users: Vec<UserId> = names.iter().map(|name| name.user()).collect();
    engine.follow_silently(&users, device, member);
}

/// Returns the node on which something happens to a member.
async fn node_context(cluster: Option<ClusterHandle>) -> NodeContext {
    match cluster {
        Some(cluster) => cluster.node_context().await,
        None => NodeContext::default(),
    }
}

fn requested(tickets: &[Ticket]) -> HashSet<UserId> {
    tickets.iter().map(Ticket::user).collect()
}
