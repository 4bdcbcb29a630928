//! Owner of one shard's users: finds or starts a user's actor, routes to it, replaces it when it is lost.

use std::rc::Rc;

use actix::{Actor, Addr, AsyncContext, Context, Handler};
use hashbrown::HashMap;
use tokio::sync::oneshot;

use super::desk::Desk;
use super::fan_out::FanOuts;
use super::mailbox::{Letter, Mailbox, send};
use super::messages::{
    Attach, CloseAll, Detach, Dismiss, Examine, Follow, Forget, Idle, Leave, Lost, MarkActive, Question, Routed,
    SetStatus, Settle, Show, Subscribe, Unfollow,
};
use super::ticks::Visible;
use super::user::{Surroundings, UserActor};
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
    /// The accounts that are logged in.
    pub(super) desk: Desk,
    pub(super) surroundings: Rc<Surroundings>,
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
        let Ports { ticks, veil, desk, nodes } = ports;
        let (visible, fan_outs) = (Visible::new(ticks), FanOuts::default());
        let surroundings =
            Rc::new(Surroundings { supervisor: own, clock, metrics, visible, fan_outs, veil, engine, desk, nodes });
        Self {
            users: HashMap::new(),
            quota: Quota::new(max_users),
            follow_quota: Quota::new(max_users - max_users / 5),
            desk: Desk::default(),
            surroundings,
        }
    }

    /// The user's entry; starts an actor if there is none, within the quota.
    pub(super) fn entry(&mut self, user: UserId, quota: Quota) -> Result<&mut Entry, EngineError> {
        if !self.users.contains_key(&user) {
            quota.check(self.users.len(), 1).map_err(|_| EngineError::Busy)?;
            self.surroundings.metrics.engine().users.inc();
            let (loading, known) = self.watch(user).unzip();
            let actor = UserActor::new(UserPresence::new(user), known, self.surroundings.clone()).start();
            self.users.insert(user, Entry { actor, routed: 0, loading });
        }
        Ok(self.users.get_mut(&user).expect("found or started above"))
    }

    /// Has other nodes tell of a user; the channel says when it is known what they have. None: there are none, or they
    /// cannot be reached.
    fn watch(&self, user: UserId) -> Option<(oneshot::Sender<()>, oneshot::Receiver<()>)> {
        let nodes = self.surroundings.nodes.as_ref()?;
        nodes.backplane.watch(user);
        nodes.are_reached().then(oneshot::channel)
    }

    fn remove(&mut self, user: UserId) -> Option<Entry> {
        let entry = self.users.remove(&user)?;
        self.surroundings.metrics.engine().users.dec();
        Some(entry)
    }

    /// Starts another actor for a user whose actor was lost.
    fn replace(&mut self, lost: Lost) {
        let user = lost.told.user;
        self.remove(user);
        let connections: Vec<Connection<Address>> = lost.connections.iter().filter_map(Address::announce).collect();
        let followers = lost.followers.into_iter().filter(|follower| !follower.is_ended()).collect();
        let now = self.surroundings.clock.now();
        let actor =
            UserActor::recover(lost.told, followers, lost.hidden, connections, now, self.surroundings.clone()).start();
        self.surroundings.metrics.engine().users.inc();
        self.users.insert(user, Entry { actor, routed: 0, loading: None });
    }
}

impl Actor for Supervisor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let Some(stride) = self.surroundings.visible.stride() else { return };
        let mut round = 0;
        context.run_interval(stride, move |actor, _| {
            actor.surroundings.visible.sweep(round);
            round += 1;
        });
    }
}

impl Handler<Letter<Attach>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Attach>, _: &mut Self::Context) {
        let Attach { user, address, most, answer } = letter.content;
        match self.entry(user, self.quota) {
            Ok(entry) => entry.route(Routed::Attach { address, most, answer }),
            // Whoever asked may be gone; then nobody needs the answer.
            Err(error) => drop(answer.send(Err(error))),
        }
    }
}

impl Handler<Letter<Detach>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Detach>, _: &mut Self::Context) {
        let Detach { user, address, exit, stay } = letter.content;
        if let Some(entry) = self.users.get_mut(&user) {
            entry.route(Routed::Detach { connection: address.connection(), exit, stay });
        }
    }
}

impl Handler<Letter<SetStatus>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<SetStatus>, _: &mut Self::Context) {
        let update = letter.content;
        // Without an entry the ticket is dropped, which tells its session.
        if let Some(entry) = self.users.get_mut(&update.ticket.user()) {
            entry.route(Routed::SetStatus(update));
        }
    }
}

impl Handler<Letter<Follow>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Follow>, _: &mut Self::Context) {
        for ticket in letter.content.tickets {
            // Past the quota the ticket is dropped, which tells its session.
            if let Ok(entry) = self.entry(ticket.user(), self.follow_quota) {
                entry.route(Routed::Follow(ticket));
            }
        }
    }
}

impl Handler<Letter<Unfollow>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Unfollow>, _: &mut Self::Context) {
        for ticket in letter.content.tickets {
            match self.users.get_mut(&ticket.user()) {
                Some(entry) => entry.route(Routed::Unfollow(ticket)),
                None => ticket.acknowledge(),
            }
        }
    }
}

impl Handler<Letter<Leave>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Leave>, _: &mut Self::Context) {
        let Leave { users, address } = letter.content;
        for user in users {
            if let Some(entry) = self.users.get_mut(&user) {
                entry.route(Routed::Leave(address.clone()));
            }
        }
    }
}

impl Handler<Letter<MarkActive>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<MarkActive>, _: &mut Self::Context) {
        let MarkActive { user, at, says } = letter.content;
        // It is written down already; where there is no entry, there is nobody to be told.
        if let Some(entry) = self.users.get_mut(&user) {
            entry.route(Routed::Acted { at, says });
        }
    }
}

impl Handler<Letter<Subscribe>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Subscribe>, _: &mut Self::Context) {
        let Subscribe { ticket, record } = letter.content;
        let ticks = self.surroundings.visible.ticks();
        if !ticks.is_current(&record) {
            // It may be of somebody who was forgotten while it was read.
            return subscribe(ticks.clone(), self.surroundings.supervisor.clone(), ticket);
        }
        // Past the quota the ticket is dropped, which says so.
        if let Ok(entry) = self.entry(ticket.user(), self.follow_quota) {
            entry.route(Routed::Subscribe(ticket, record.seen));
        }
    }
}

impl Handler<Letter<Forget>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Forget>, _: &mut Self::Context) {
        self.surroundings.visible.ticks().forgotten();
        for user in letter.content.0 {
            if let Some(entry) = self.users.get_mut(&user) {
                entry.route(Routed::Forget);
            }
        }
    }
}

impl Handler<Letter<Examine>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Examine>, _: &mut Self::Context) {
        let Examine { users, answer } = letter.content;
        for user in users {
            if let Some(entry) = self.users.get_mut(&user) {
                entry.route(Routed::Ask(Question::Examine(answer.clone())));
            }
        }
    }
}

impl Handler<Letter<Show>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Show>, _: &mut Self::Context) {
        let Show { user, asker, answer } = letter.content;
        // Without an entry the answer is dropped: nobody is visible.
        if let Some(entry) = self.users.get_mut(&user) {
            entry.route(Routed::Ask(Question::Show(asker, answer)));
        }
    }
}

impl Handler<Letter<Dismiss>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Dismiss>, _: &mut Self::Context) {
        let Dismiss { user, selection, farewell } = letter.content;
        if let Some(entry) = self.users.get_mut(&user) {
            entry.route(Routed::Dismiss(selection, farewell));
        }
    }
}

impl Handler<Letter<CloseAll>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<CloseAll>, _: &mut Self::Context) {
        let CloseAll { portion, portions, farewell } = letter.content;
        for (user, entry) in &mut self.users {
            if u32::from(user.uuid().as_bytes()[15]) % portions == portion {
                entry.route(Routed::Close(farewell.clone()));
            }
        }
    }
}

impl Handler<Letter<Settle>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Settle>, _: &mut Self::Context) {
        let Settle(answer) = letter.content;
        self.users.values_mut().for_each(|entry| entry.route(Routed::Ask(Question::Settle(answer.clone()))));
    }
}

impl Handler<Letter<Idle>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Idle>, _: &mut Self::Context) {
        let Idle { user, handled } = letter.content;
        // With messages still under way to it, it will say again when it is idle after them.
        if self.users.get(&user).is_some_and(|entry| entry.routed == handled)
            && let Some(mut entry) = self.remove(user)
        {
            entry.route(Routed::Retire);
            if let Some(nodes) = &self.surroundings.nodes {
                nodes.backplane.unwatch(user);
            }
        }
    }
}

impl Handler<Letter<Lost>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Lost>, _: &mut Self::Context) {
        let lost = letter.content;
        log::error!(user:% = lost.told.user; "the actor of a user was lost; starting another from what its connections say");
        self.replace(lost);
        self.surroundings.metrics.engine().recovered.inc();
    }
}

#[cfg(test)]
impl Handler<Letter<super::messages::Poison>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<super::messages::Poison>, _: &mut Self::Context) {
        if let Some(entry) = self.users.get_mut(&letter.content.0) {
            entry.route(Routed::Poison);
        }
    }
}
