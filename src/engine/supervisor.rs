//! Owns the users of one shard: finds or starts a user's actor, routes to it, and replaces it when a panic ended it.

use std::rc::Rc;

use actix::{Actor, Addr, AsyncContext, Context, Handler};
use hashbrown::HashMap;
use tokio::sync::oneshot;

use super::fan_out::FanOuts;
use super::follow::subscribe;
use super::last_seen::{OnlineSweep, ReadRecord};
use super::mailbox::{Counted, Mailbox, send};
use super::messages::{IfAbsent, LostActor, ToShard, ToUser, UserMessage};
use super::strides::{Router, UserBatch};
use super::user::{ShardContext, UserActor};
use super::{EngineError, Ports, WeakEngine};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::outbox::{Address, Ticket};
use crate::presence::id::UserId;
use crate::presence::quota::Quota;
use crate::presence::user::{Connection, UserPresence};

/// The supervisor of a shard. It only routes; the user actor decides what a message means.
pub struct Supervisor {
    users: HashMap<UserId, Entry>,
    /// Maximum number of users in the shard.
    quota: Quota,
    /// Maximum number of users when a follow starts an actor. The rest is kept for users that connect.
    follow_quota: Quota,
    shard: Rc<ShardContext>,
}

/// A user's actor.
struct Entry {
    actor: Addr<UserActor>,
    /// Number of messages routed to the actor. It is idle only after it has handled all of them.
    routed: u64,
    /// Resolves the actor's wait for what other nodes have of the user.
    loading: Option<oneshot::Sender<()>>,
}

impl Entry {
    fn route(&mut self, message: UserMessage) {
        self.routed += 1;
        send(&self.actor, message);
    }
}

impl Supervisor {
    /// A supervisor without users. `own` is its own mailbox, for its user actors.
    pub fn new(
        own: Mailbox<ToShard>,
        max_users: usize,
        ports: Ports,
        engine: WeakEngine,
        clock: Clock,
        metrics: Metrics,
    ) -> Self {
        let Ports { recorder, shared_privacy, nodes } = ports;
        let shard = Rc::new(ShardContext {
            supervisor: own,
            clock,
            metrics,
            online: OnlineSweep::new(recorder),
            fan_outs: FanOuts::default(),
            shared_privacy,
            engine,
            nodes,
        });
        Self {
            users: HashMap::new(),
            quota: Quota::new(max_users),
            follow_quota: Quota::new(max_users - max_users / 5),
            shard,
        }
    }

    fn start_user(&mut self, user: UserId, quota: Quota) -> Result<&mut Entry, EngineError> {
        quota.check(self.users.len(), 1).map_err(|_| EngineError::Busy)?;
        self.shard.metrics.engine().users.inc();
        let (loading, loaded) = self.watch(user).unzip();
        let actor = UserActor::new(UserPresence::new(user), loaded, self.shard.clone()).start();
        Ok(self.users.entry(user).insert(Entry { actor, routed: 0, loading }).into_mut())
    }

    /// Asks the other nodes for a user's presence. The channel resolves when it is known. `None` means that there are
    /// no other nodes or that they cannot be reached.
    fn watch(&self, user: UserId) -> Option<(oneshot::Sender<()>, oneshot::Receiver<()>)> {
        let nodes = self.shard.nodes.as_ref()?;
        nodes.backplane.watch(user);
        nodes.is_reachable().then(oneshot::channel)
    }

    fn remove(&mut self, user: UserId) -> Option<Entry> {
        let entry = self.users.remove(&user)?;
        self.shard.metrics.engine().users.dec();
        Some(entry)
    }

    fn subscribe(&mut self, ticket: Ticket, record: ReadRecord) {
        let recorder = self.shard.online.recorder();
        if recorder.is_current(&record) {
            self.route(ticket.user(), IfAbsent::StartForFollower, UserMessage::Subscribe(ticket, record.last_seen));
        } else {
            // The user may have been forgotten after the read.
            subscribe(recorder.clone(), self.shard.supervisor.clone(), ticket);
        }
    }

    fn forget_last_seen(&mut self, users: Vec<UserId>) {
        self.shard.online.recorder().forgotten();
        for user in users {
            self.route(user, IfAbsent::Drop, UserMessage::ForgetLastSeen);
        }
    }

    fn remote_changed(&mut self, user: UserId) {
        let Some(entry) = self.users.get_mut(&user) else { return };
        let is_known = || self.shard.nodes.as_ref().is_some_and(|nodes| nodes.backplane.remote(user).is_some());
        if entry.loading.is_some() && !is_known() {
            // The notice is older than the current watch.
            return;
        }
        // A waiting actor reads the presence by itself. One that no longer waits needs the message.
        if entry.loading.take().is_none_or(|loading| loading.send(()).is_err()) {
            entry.route(UserMessage::RemoteChanged);
        }
    }

    fn retire(&mut self, user: UserId, handled: u64) {
        // An actor with messages under way reports again after them.
        if self.users.get(&user).is_some_and(|entry| entry.routed == handled)
            && let Some(mut entry) = self.remove(user)
        {
            entry.route(UserMessage::Retire);
            if let Some(nodes) = &self.shard.nodes {
                nodes.backplane.unwatch(user);
            }
        }
    }

    /// Starts another actor for a user after the loss of its actor.
    fn replace(&mut self, lost: LostActor) {
        let user = lost.published.user;
        log::error!(user:% = user; "a user actor panicked; another one starts from what the connections show");
        self.remove(user);
        let connections: Vec<Connection<Address>> = lost.connections.iter().filter_map(Address::announce).collect();
        let followers = lost.followers.into_iter().filter(|follower| !follower.is_ended()).collect();
        let shard = self.shard.clone();
        let actor = UserActor::recover(lost.published, followers, lost.hidden, connections, shard).start();
        self.shard.metrics.engine().users.inc();
        self.users.insert(user, Entry { actor, routed: 0, loading: None });
        self.shard.metrics.engine().recovered.inc();
    }
}

impl Router for Supervisor {
    fn route(&mut self, user: UserId, if_absent: IfAbsent, message: UserMessage) {
        if let Some(entry) = self.users.get_mut(&user) {
            return entry.route(message);
        }
        let quota = match if_absent {
            IfAbsent::StartForConnection => self.quota,
            IfAbsent::StartForFollower => self.follow_quota,
            IfAbsent::Acknowledge => return message.acknowledge(),
            IfAbsent::Drop => return,
        };
        match self.start_user(user, quota) {
            Ok(entry) => entry.route(message),
            Err(error) => message.refuse(error),
        }
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let Some(interval) = self.shard.online.slot_interval() else { return };
        let mut tick = 0;
        context.run_interval(interval, move |actor, _| {
            actor.shard.online.sweep(tick);
            tick += 1;
        });
    }
}

impl Handler<Counted<ToShard>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<ToShard>, context: &mut Self::Context) {
        match counted.content {
            ToShard::ToUser(ToUser { user, if_absent, message }) => self.route(user, if_absent, message),
            ToShard::ToUsers { users, if_absent, message } => {
                UserBatch::Shared { users: users.into_iter(), if_absent, message }.route(self, context);
            }
            ToShard::ToAll(portion, message) => {
                let users = self.users.iter_mut().filter(|(user, _)| portion.includes(**user));
                users.for_each(|(_, entry)| entry.route(UserMessage::Shared(message.clone())));
            }
            ToShard::Follow(tickets) => UserBatch::Follow(tickets.into_iter()).route(self, context),
            ToShard::Unfollow(tickets) => UserBatch::Unfollow(tickets.into_iter()).route(self, context),
            ToShard::Subscribe { ticket, record } => self.subscribe(ticket, record),
            ToShard::ForgetLastSeen(users) => self.forget_last_seen(users),
            ToShard::RemoteChanged(user) => self.remote_changed(user),
            ToShard::Idle { user, handled } => self.retire(user, handled),
            ToShard::Lost(lost) => self.replace(*lost),
        }
    }
}
