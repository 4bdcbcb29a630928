//! What a supervisor does for the accounts at its [`MemberRegistry`](super::desk::Desk).

use actix::Handler;
use hashbrown::HashSet;
use tokio::sync::{mpsc, oneshot};

use super::Engine;
use super::cluster::ClusterHandle;
use super::mailbox::{Counted, Mail};
use super::member_registry::{Last, Turn};
use super::messages::{FollowSilently, Leave, LeaveMember};
use super::supervisor::Supervisor;
use crate::cluster::CallWindow;
use crate::outbox::{Address, Ticket};
use crate::presence::calls::{Call, TooOften};
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;
use crate::presence::member_name::MemberName;
use crate::presence::member_record::{MemberRecord, NodeContext, RelationChange};
use crate::presence::time::Timestamp;
use crate::store::StoreError;

/// An account calls.
pub struct CountCall {
    pub member: UserId,
    pub call: Call,
    pub answer: oneshot::Sender<Result<(), TooOften>>,
}

/// A device begins to log in.
pub struct Arrive {
    pub member: UserId,
    pub device: Address,
    /// Gets the standing once the login is written down.
    pub answer: oneshot::Sender<Result<MemberRecord, StoreError>>,
}

/// A login has been written down, or could not be. Never refused.
pub struct Arrived {
    pub member: UserId,
    pub device: Address,
    pub written: Result<MemberRecord, StoreError>,
    pub answer: oneshot::Sender<Result<MemberRecord, StoreError>>,
}

/// A device's login is through; its tickets are passed on. Never refused.
pub struct Enter {
    pub member: UserId,
    pub device: Address,
    pub standing: MemberRecord,
    pub friends: Vec<MemberName>,
    pub tickets: Vec<Ticket>,
}

/// An account's subscriptions have changed; the tickets of the device that asked are passed on. Never refused: it is
/// written down.
pub struct Relist {
    pub member: UserId,
    pub standing: MemberRecord,
    pub tickets: Vec<Ticket>,
    /// Gets word when all devices are told no more of whom is dropped.
    pub answer: Option<oneshot::Sender<()>>,
}

/// A device asks for users again who did not answer it.
pub struct AskAgain {
    pub member: UserId,
    pub tickets: Vec<Ticket>,
}

/// An account's friends have changed, whose changes it is told.
pub struct Befriend {
    pub member: UserId,
    pub friends: Vec<MemberName>,
}

/// A device is gone. Never refused.
pub struct Depart {
    pub member: UserId,
    pub device: Address,
    pub exit: Exit,
    /// Gets word when that is written down.
    pub answer: Option<oneshot::Sender<()>>,
}

/// Somebody asks which accounts have devices here, and which revision of the subscriptions is known of each.
pub struct Seated {
    /// This one only; none: all.
    pub member: Option<UserId>,
    pub answer: oneshot::Sender<Vec<(UserId, u64)>>,
}

impl Mail for CountCall {}
impl Mail for Seated {}
impl Mail for Arrive {}
impl Mail for Arrived {}
impl Mail for Enter {}
impl Mail for Relist {}
impl Mail for AskAgain {}
impl Mail for Befriend {}
impl Mail for Depart {}

impl Supervisor {
    fn engine(&self) -> Option<Engine> {
        self.shard.engine.upgrade()
    }

    /// Has all devices of an account follow and unfollow; the one that is `asking` follows these users by itself.
    fn carry_out(&self, member: UserId, turn: Turn, asking: Option<(&Address, &HashSet<UserId>)>) {
        let Some(engine) = self.engine() else { return };
        for device in &turn.devices {
            device.unname_all(&turn.removed);
            engine.leave(&turn.removed, device);
            let asked = asking.filter(|(address, _)| *address == device).map(|(_, users)| users);
            let added = turn.added.iter().filter(|name| asked.is_none_or(|users| !users.contains(&name.user())));
            watch(&engine, member, device, &added.collect::<Vec<_>>());
        }
    }

    /// Passes a device's tickets on. Of somebody who is on no list, or no longer, it learns what it asked, and nothing
    /// after that.
    fn pass_on(&self, member: UserId, tickets: Vec<Ticket>) {
        let Some(engine) = self.engine() else { return };
        let listed = self.registry.follows(member);
        let sort = |ticket: Ticket| {
            let user = ticket.user();
            if user == member || listed.contains(&user) { ticket } else { ticket.once() }
        };
        if let Err(error) = engine.follow_by(tickets.into_iter().map(sort).collect()) {
            log::warn!("a command was not taken: {error}");
        }
    }

    /// Writes down how an account left, and what it was told last of those it subscribes to.
    fn part(&self, depart: Depart, last: Last) {
        let Depart { member, device, exit, answer } = depart;
        let Some(engine) = self.engine() else { return };
        engine.leave(&last.others, &device);
        let (teller, mut told) = mpsc::unbounded_channel();
        engine.part(&last.subscriptions, &device, &teller);
        drop((teller, engine));
        let (relations, clock) = (self.shard.registry.relations.clone(), self.shard.clock.clone());
        let nodes = self.shard.nodes.clone();
        let writing = async move {
            let mut list = Vec::new();
            while let Some(one) = told.recv().await {
                list.push(one);
            }
            let node_context = node_context(nodes).await;
            let change =
                RelationChange::Part { exit, told: list, login: last.login, node_context, now: clock.time_of_day() };
            if let Err(error) = relations.change(member, change).await {
                log::warn!("the end of a login could not be written down: {error}");
            }
            // Who asked may no longer wait.
            answer.map(|answer| answer.send(()));
        };
        actix::spawn(writing);
    }
}

/// Has a device follow these without an answer.
fn watch(engine: &Engine, member: UserId, device: &Address, names: &[&MemberName]) {
    device.name_all(names.iter().copied());
    let users: Vec<UserId> = names.iter().map(|name| name.user()).collect();
    engine.watch(&users, device, member);
}

/// Where something happens to an account.
async fn node_context(nodes: Option<ClusterHandle>) -> NodeContext {
    match nodes {
        Some(nodes) => nodes.node_context().await,
        None => NodeContext::default(),
    }
}

fn asked(tickets: &[Ticket]) -> HashSet<UserId> {
    tickets.iter().map(Ticket::user).collect()
}

impl Handler<Counted<CountCall>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<CountCall>, _: &mut Self::Context) {
        let CountCall { member, call, answer } = counted.content;
        let now = self.shard.clock.now();
        if let Some(nodes) = self.shard.nodes.clone() {
            let rules = &self.shard.registry;
            let (limit, window) =
                (rules.calls, CallWindow { name: call.name(), limit: rules.calls, span: rules.window });
            actix::spawn(async move {
                match nodes.backplane.take_call(member, window).await {
                    Ok(taken) => drop(answer.send(taken.map_err(|wait| TooOften { limit, again: now + wait }))),
                    // Without an answer the caller is told to try again.
                    Err(error) => log::debug!("a call could not be counted: {error}"),
                }
            });
            return;
        }
        // Who asked may no longer wait.
        let _asker_gone = answer.send(self.registry.call(member, call, &self.shard.registry, now));
    }
}

impl Handler<Counted<Seated>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<Seated>, _: &mut Self::Context) {
        let Seated { member, answer } = counted.content;
        // Who asked may no longer wait.
        drop(answer.send(self.registry.seated(member)));
    }
}

impl Handler<Counted<Arrive>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<Arrive>, _: &mut Self::Context) {
        let Arrive { member, device, answer } = counted.content;
        let rules = &self.shard.registry;
        self.registry.arrive(member, device.clone(), rules);
        let (now, lifetime) = (self.shard.clock.time_of_day(), rules.lifetime);
        let (nodes, recorder) = (self.shard.nodes.clone(), self.shard.visible.recorder().clone());
        let (relations, registry) = (rules.relations.clone(), self.shard.supervisor.clone());
        // Not on the session's behalf: the desk has to learn the login's number also if nobody waits for it any more.
        actix::spawn(async move {
            // One node sees all of its accounts go, or notices at its start.
            let last_seen =
                if nodes.is_some() { recorder.record(member).await.last_seen.online } else { Timestamp::default() };
            let change = RelationChange::Arrive { now, lifetime, node_context: node_context(nodes).await, last_seen };
            let written = relations.change(member, change).await.map(|changed| changed.standing);
            registry.deliver(Arrived { member, device, written, answer });
        });
    }
}

impl Handler<Counted<Arrived>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<Arrived>, _: &mut Self::Context) {
        let Arrived { member, device, written, answer } = counted.content;
        if let Ok(standing) = &written
            && let Some(last) = self.registry.arrived(member, standing.logins)
        {
            self.part(Depart { member, device, exit: Exit::Lost, answer: None }, last);
        }
        // Who asked may no longer wait.
        drop(answer.send(written));
    }
}

impl Handler<Counted<Enter>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<Enter>, _: &mut Self::Context) {
        let Enter { member, device, standing, friends, tickets } = counted.content;
        let Some(entrance) = self.registry.enter(member, &device, &standing, friends, asked(&tickets)) else { return };
        self.carry_out(member, entrance.others, None);
        if let Some(engine) = self.engine() {
            watch(&engine, member, &device, &entrance.missing.iter().collect::<Vec<_>>());
        }
        self.pass_on(member, tickets);
    }
}

impl Handler<Counted<Relist>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<Relist>, _: &mut Self::Context) {
        let Relist { member, standing, tickets, answer } = counted.content;
        if let Some(turn) = self.registry.relist(member, &standing) {
            let asked = asked(&tickets);
            self.carry_out(member, turn, tickets.first().map(|ticket| (ticket.address(), &asked)));
        }
        self.pass_on(member, tickets);
        // Who asked may no longer wait.
        answer.map(|answer| answer.send(()));
    }
}

impl Handler<Counted<AskAgain>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<AskAgain>, _: &mut Self::Context) {
        let AskAgain { member, tickets } = counted.content;
        self.pass_on(member, tickets);
    }
}

impl Handler<Counted<Befriend>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<Befriend>, _: &mut Self::Context) {
        let Befriend { member, friends } = counted.content;
        if let Some(turn) = self.registry.befriend(member, friends) {
            self.carry_out(member, turn, None);
        }
    }
}

impl Handler<Counted<Depart>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<Depart>, _: &mut Self::Context) {
        let depart = counted.content;
        let (member, now) = (depart.member, self.shard.clock.now());
        let follows: Vec<UserId> = self.registry.follows(member).into_iter().collect();
        match self.registry.leave(member, &depart.device, &self.shard.registry, now) {
            Some(last) => self.part(depart, last),
            None => {
                if let Some(engine) = self.engine() {
                    engine.leave(&follows, &depart.device);
                }
                // Who asked may no longer wait.
                depart.answer.map(|answer| answer.send(()));
            }
        }
    }
}

impl Leave {
    /// The end of these follows.
    pub fn new(users: Vec<UserId>, address: &Address) -> Self {
        Self { users, address: address.clone() }
    }
}

impl FollowSilently {
    /// A device follows these.
    pub fn new(users: Vec<UserId>, address: &Address, watcher: UserId) -> Self {
        Self { users, address: address.clone(), watcher }
    }
}

impl LeaveMember {
    /// The last device of an account ends.
    pub fn new(
        users: Vec<UserId>,
        address: &Address,
        answer: &mpsc::UnboundedSender<(UserId, crate::presence::subscriptions::DeliveredStatus)>,
    ) -> Self {
        Self { users, address: address.clone(), answer: answer.clone() }
    }
}
