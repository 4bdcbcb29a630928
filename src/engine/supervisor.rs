//! Owner of one shard's users: finds or starts a user's actor, routes to it, replaces it when it is lost.

use std::rc::Rc;

use actix::{Actor, Addr, AsyncContext, Context, Handler};
use hashbrown::HashMap;
use tokio::sync::oneshot;

use super::fan_out::FanOuts;
use super::last_seen::OnlineSweep;
use super::mailbox::{Counted, Mailbox, send};
use super::messages::{
    Attach, CloseAll, Detach, Dismiss, Follow, Forget, Idle, Inspect, Leave, Lost, MarkActive, Question, Routed,
    SetStatus, Settle, Show, Subscribe, Unfollow,
};
use super::user::{ShardContext, UserActor};
use super::{EngineError, Ports, WeakEngine, subscribe};
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::outbox::Address;
use crate::presence::id::UserId;
use crate::presence::quota::Quota;
use crate::presence::user::{Connection, UserPresence};

/// The supervisor of a shard. It only routes; what a message means to a user is the user actor's business.
pub struct Supervisor {
    pub(super) users: HashMap<UserId, Entry>,
    quota: Quota,
    /// For users who are not here and are only followed: the rest is kept for those who come.
    pub(super) follow_quota: Quota,
    pub(super) shard: Rc<ShardContext>,
}

pub(super) struct Entry {
    actor: Addr<UserActor>,
    /// Messages sent to it from here, to tell whether it is idle or has not seen the last of them yet.
    routed: u64,
    /// The actor waits until it is known what other nodes have of the user.
    pub(super) loading: Option<oneshot::Sender<()>>,
}

impl Entry {
    pub(super) fn route(&mut self, message: Routed) {
        self.routed += 1;
        send(&self.actor, message);
    }
}

impl Supervisor {
    /// A supervisor of nobody. `own` is the way to itself, which its user actors use.
    pub fn new(
        own: Mailbox<Self>,
        max_users: usize,
        ports: Ports,
        engine: WeakEngine,
        clock: Clock,
        metrics: Metrics,
    ) -> Self {
        let Ports { recorder, shared_privacy, nodes } = ports;
        let (visible, fan_outs) = (OnlineSweep::new(recorder), FanOuts::default());
        let shard =
            Rc::new(ShardContext { supervisor: own, clock, metrics, visible, fan_outs, shared_privacy, engine, nodes });
        Self {
            users: HashMap::new(),
            quota: Quota::new(max_users),
            follow_quota: Quota::new(max_users - max_users / 5),
            shard,
        }
    }

    /// The user's entry; starts an actor if there is none, within the quota.
    pub(super) fn entry(&mut self, user: UserId, quota: Quota) -> Result<&mut Entry, EngineError> {
        if !self.users.contains_key(&user) {
            quota.check(self.users.len(), 1).map_err(|_| EngineError::Busy)?;
            self.shard.metrics.engine().users.inc();
            let (loading, known) = self.watch(user).unzip();
            let actor = UserActor::new(UserPresence::new(user), known, self.shard.clone()).start();
            self.users.insert(user, Entry { actor, routed: 0, loading });
        }
        Ok(self.users.get_mut(&user).expect("found or started above"))
    }

    /// Has other nodes tell of a user; the channel says when it is known what they have. None: there are none, or they
    /// cannot be reached.
    fn watch(&self, user: UserId) -> Option<(oneshot::Sender<()>, oneshot::Receiver<()>)> {
        let nodes = self.shard.nodes.as_ref()?;
        nodes.backplane.watch(user);
        nodes.are_reached().then(oneshot::channel)
    }

    fn remove(&mut self, user: UserId) -> Option<Entry> {
        let entry = self.users.remove(&user)?;
        self.shard.metrics.engine().users.dec();
        Some(entry)
    }

    /// Starts another actor for a user whose actor was lost.
    fn replace(&mut self, lost: Lost) {
        let user = lost.told.user;
        self.remove(user);
        let connections: Vec<Connection<Address>> = lost.connections.iter().filter_map(Address::announce).collect();
        let followers = lost.followers.into_iter().filter(|follower| !follower.is_ended()).collect();
        let now = self.shard.clock.now();
        let actor = UserActor::recover(lost.told, followers, lost.hidden, connections, now, self.shard.clone()).start();
        self.shard.metrics.engine().users.inc();
        self.users.insert(user, Entry { actor, routed: 0, loading: None });
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let Some(stride) = self.shard.visible.stride() else { return };
        let mut round = 0;
        context.run_interval(stride, move |actor, _| {
            actor.shard.visible.sweep(round);
            round += 1;
        });
    }
}

impl Handler<Counted<Attach>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<Attach>, _: &mut Self::Context) {
        let Attach { user, address, most, answer } = counted.content;
        match self.entry(user, self.quota) {
            Ok(entry) => entry.route(Routed::Attach { address, most, answer }),
            // Whoever asked may be gone; then nobody needs the answer.
            Err(error) => drop(answer.send(Err(error))),
        }
    }
}

impl Handler<Counted<Detach>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<Detach>, _: &mut Self::Context) {
        let Detach { user, address, exit, stay } = counted.content;
        if let Some(entry) = self.users.get_mut(&user) {
            entry.route(Routed::Detach { connection: address.connection(), exit, stay });
        }
    }
}

impl Handler<Counted<SetStatus>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<SetStatus>, _: &mut Self::Context) {
        let update = counted.content;
        // Without an entry the ticket is dropped, which tells its session.
        if let Some(entry) = self.users.get_mut(&update.ticket.user()) {
            entry.route(Routed::SetStatus(update));
        }
    }
}

impl Handler<Counted<Follow>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<Follow>, _: &mut Self::Context) {
        for ticket in counted.content.tickets {
            // Past the quota the ticket is dropped, which tells its session.
            if let Ok(entry) = self.entry(ticket.user(), self.follow_quota) {
                entry.route(Routed::Follow(ticket));
            }
        }
    }
}

impl Handler<Counted<Unfollow>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<Unfollow>, _: &mut Self::Context) {
        for ticket in counted.content.tickets {
            match self.users.get_mut(&ticket.user()) {
                Some(entry) => entry.route(Routed::Unfollow(ticket)),
                None => ticket.acknowledge(),
            }
        }
    }
}

impl Handler<Counted<Leave>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<Leave>, _: &mut Self::Context) {
        let Leave { users, address } = counted.content;
        for user in users {
            if let Some(entry) = self.users.get_mut(&user) {
                entry.route(Routed::Leave(address.clone()));
            }
        }
    }
}

impl Handler<Counted<MarkActive>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<MarkActive>, _: &mut Self::Context) {
        let MarkActive { user, at, state } = counted.content;
        // It is written down already; where there is no entry, there is nobody to be told.
        if let Some(entry) = self.users.get_mut(&user) {
            entry.route(Routed::Acted { at, state });
        }
    }
}

impl Handler<Counted<Subscribe>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<Subscribe>, _: &mut Self::Context) {
        let Subscribe { ticket, record } = counted.content;
        let recorder = self.shard.visible.recorder();
        if !recorder.is_current(&record) {
            // It may be of somebody who was forgotten while it was read.
            return subscribe(recorder.clone(), self.shard.supervisor.clone(), ticket);
        }
        // Past the quota the ticket is dropped, which says so.
        if let Ok(entry) = self.entry(ticket.user(), self.follow_quota) {
            entry.route(Routed::Subscribe(ticket, record.last_seen));
        }
    }
}

impl Handler<Counted<Forget>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<Forget>, _: &mut Self::Context) {
        self.shard.visible.recorder().forgotten();
        for user in counted.content.0 {
            if let Some(entry) = self.users.get_mut(&user) {
                entry.route(Routed::Forget);
            }
        }
    }
}

impl Handler<Counted<Inspect>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<Inspect>, _: &mut Self::Context) {
        let Inspect { users, answer } = counted.content;
        for user in users {
            if let Some(entry) = self.users.get_mut(&user) {
                entry.route(Routed::Ask(Question::Inspect(answer.clone())));
            }
        }
    }
}

impl Handler<Counted<Show>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<Show>, _: &mut Self::Context) {
        let Show { user, asker, answer } = counted.content;
        // Without an entry the answer is dropped: nobody is visible.
        if let Some(entry) = self.users.get_mut(&user) {
            entry.route(Routed::Ask(Question::Show(asker, answer)));
        }
    }
}

impl Handler<Counted<Dismiss>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<Dismiss>, _: &mut Self::Context) {
        let Dismiss { user, selection, close_request } = counted.content;
        if let Some(entry) = self.users.get_mut(&user) {
            entry.route(Routed::Dismiss(selection, close_request));
        }
    }
}

impl Handler<Counted<CloseAll>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<CloseAll>, _: &mut Self::Context) {
        let CloseAll { portion, portions, close_request } = counted.content;
        for (user, entry) in &mut self.users {
            if u32::from(user.uuid().as_bytes()[15]) % portions == portion {
                entry.route(Routed::Close(close_request.clone()));
            }
        }
    }
}

impl Handler<Counted<Settle>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<Settle>, _: &mut Self::Context) {
        let Settle(answer) = counted.content;
        self.users.values_mut().for_each(|entry| entry.route(Routed::Ask(Question::Settle(answer.clone()))));
    }
}

impl Handler<Counted<Idle>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<Idle>, _: &mut Self::Context) {
        let Idle { user, handled } = counted.content;
        // With messages still under way to it, it will say again when it is idle after them.
        if self.users.get(&user).is_some_and(|entry| entry.routed == handled)
            && let Some(mut entry) = self.remove(user)
        {
            entry.route(Routed::Retire);
            if let Some(nodes) = &self.shard.nodes {
                nodes.backplane.unwatch(user);
            }
        }
    }
}

impl Handler<Counted<Lost>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<Lost>, _: &mut Self::Context) {
        let lost = counted.content;
        log::error!(user:% = lost.told.user; "the actor of a user was lost; starting another from what its connections say");
        self.replace(lost);
        self.shard.metrics.engine().recovered.inc();
    }
}

#[cfg(test)]
impl Handler<Counted<super::messages::InjectPanic>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<super::messages::InjectPanic>, _: &mut Self::Context) {
        if let Some(entry) = self.users.get_mut(&counted.content.0) {
            entry.route(Routed::InjectPanic);
        }
    }
}
