//! The actor of one user: carries out what its [`UserPresence`] decides.

pub(super) mod queries;
mod remote;

use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, SpawnHandle};
use tokio::sync::oneshot;

use super::cluster::ClusterHandle;
use super::fan_out::{FanOut, FanOuts, SMALL, deliver};
use super::inspection::Selection;
use super::last_seen::OnlineSweep;
use super::mailbox::Mailbox;
use super::messages::{Idle, Lost, Routed, SetStatus, StatusChange};
use super::shared_privacy::SharedPrivacy;
use super::supervisor::Supervisor;
use super::{EngineError, WeakEngine};
use crate::clock::Clock;
use crate::cluster::record::Record;
use crate::metrics::Metrics;
use crate::outbox::{Address, CloseRequest, DeliveryMode, Notification};
use crate::presence::diff::{Diff, Snapshot};
use crate::presence::followers::Followers;
use crate::presence::general_status::Exit;
use crate::presence::id::ConnectionId;
use crate::presence::time::Timestamp;
use crate::presence::user::{Connection, Effects, Event, Followed, UserPresence};

/// What all user actors of a shard share.
pub struct ShardContext {
    pub supervisor: Mailbox<Supervisor>,
    pub clock: Clock,
    pub metrics: Metrics,
    pub visible: OnlineSweep,
    pub shared_privacy: SharedPrivacy,
    /// The whole engine, for what concerns users of other shards.
    pub engine: WeakEngine,
    pub fan_outs: FanOuts,
    /// None: there are no other nodes.
    pub nodes: Option<ClusterHandle>,
}

/// One user.
pub struct UserActor {
    pub(super) presence: UserPresence<Address>,
    /// What every follower has been told; differs from `presence` only while a change is being told.
    told: Arc<Snapshot>,
    /// Who follows, but is not to see the user.
    hidden: Option<Box<Followers<Address>>>,
    /// The supervisor's messages handled so far.
    handled: u64,
    /// Stopped in good order: otherwise its end is a loss.
    retired: bool,
    /// What the actor has to do first, if it stands in for a lost one.
    recovery: Option<Effects>,
    /// Comes when it is known what other nodes have of the user; none: there is nothing to wait for.
    loading: Option<oneshot::Receiver<()>>,
    /// What other nodes have been told; none: nothing.
    announced: Option<Box<Record>>,
    /// Its clients are about to be sent away because the node stops.
    drains: bool,
    /// When it will look whether those are over that are shown on.
    lapse: Option<(Timestamp, SpawnHandle)>,
    pub(super) shard: Rc<ShardContext>,
}

impl UserActor {
    /// The actor of a user of whom nothing is known.
    pub fn new(
        presence: UserPresence<Address>,
        loading: Option<oneshot::Receiver<()>>,
        shard: Rc<ShardContext>,
    ) -> Self {
        Self {
            told: Arc::new(presence.snapshot()),
            presence,
            hidden: None,
            handled: 0,
            retired: false,
            recovery: None,
            loading,
            announced: None,
            drains: false,
            lapse: None,
            shard,
        }
    }

    /// The actor of a user whose last one was lost.
    pub fn recover(
        told: Snapshot,
        followers: Vec<Address>,
        hidden: Option<Box<Followers<Address>>>,
        connections: Vec<Connection<Address>>,
        now: Timestamp,
        shard: Rc<ShardContext>,
    ) -> Self {
        let remote = shard.nodes.as_ref().and_then(|nodes| nodes.backplane.remote(told.user));
        let (presence, effects) = UserPresence::recover(told.clone(), followers, connections, remote, now);
        let mut actor = Self::new(presence, None, shard);
        actor.told = Arc::new(told);
        actor.hidden = hidden;
        actor.recovery = Some(effects);
        // Whatever it was that they were told.
        actor.announced = Some(Box::default());
        actor
    }

    /// Takes in one event and tells the followers what came of it; the snapshot, if there is one, is the caller's to use.
    fn take(&mut self, event: Event<Address>, context: &mut Context<Self>) -> Option<Followed> {
        let (connected, visible) = (self.is_connected(), self.presence.is_visible_here());
        let exit = if let Event::Disconnected { exit, .. } = &event { *exit } else { Exit::Lost };
        self.see();
        let Effects { snapshot, notify, retire: _ } = self.presence.handle(event, self.shard.clock.now());
        self.see();
        if self.presence.is_visible_here() != visible {
            self.write_down();
        }
        if self.is_connected() != connected {
            self.count_connected(!connected);
        }
        // A follow changes nothing that other nodes know.
        if snapshot.is_none() {
            self.follow_up(exit, context);
        }
        if let Some(diff) = notify {
            self.tell(diff, context);
        }
        snapshot
    }

    /// Whoever is visible is online at this moment.
    fn see(&mut self) {
        if self.presence.is_visible() {
            self.presence.mark_online(self.shard.clock.time_of_day());
        }
    }

    /// Has it written down that the user is online from here on, or no longer.
    fn write_down(&self) {
        let (visible, user) = (&self.shard.visible, self.presence.user());
        if self.presence.is_visible_here() { visible.appears(user) } else { visible.disappears(user) }
    }

    fn is_connected(&self) -> bool {
        !self.presence.connections().is_empty()
    }

    fn count_connected(&self, connected: bool) {
        let gauge = &self.shard.metrics.engine().connected;
        if connected {
            gauge.inc()
        } else {
            gauge.dec()
        };
    }

    /// Tells every follower. Nothing else is handled until the last one is told, so that none is told out of order.
    fn tell(&mut self, diff: Diff, context: &mut Context<Self>) {
        self.shard.metrics.engine().diffs.inc();
        let notification = Notification::new(diff, self.told.clone(), self.presence.snapshot());
        if self.presence.followers().len() <= SMALL {
            let followers = self.presence.followers().iter();
            let mode = DeliveryMode::Gathered(self.shard.clock.now());
            let delivered = deliver(followers, &notification, mode, &self.shard.metrics);
            self.told(&notification, delivered.gone);
        } else {
            context.wait(FanOut::new(notification, &self.shard.fan_outs));
        }
    }

    pub(super) fn told(&mut self, notification: &Notification, gone: Vec<Address>) {
        self.told = notification.after().clone();
        for follower in gone {
            self.presence.handle(Event::Unfollowed(follower), self.shard.clock.now());
        }
    }

    fn route(&mut self, message: Routed, context: &mut Context<Self>) {
        match message {
            Routed::Attach { address, most, answer } if self.has_beside(&address) >= most => {
                // Who asked takes the connection back.
                drop(answer.send(Err(EngineError::TooManyConnections)));
            }
            Routed::Attach { address, most: _, answer } => {
                self.share_custom(&address);
                if let Some(connection) = address.announce() {
                    self.take(Event::Connected(connection), context);
                }
                // Who asked may have gone; its detachment is under way then.
                drop(answer.send(Ok(context.address())));
            }
            Routed::Detach { connection, exit, stay } => self.detach(connection, exit, stay, context),
            Routed::RemoteChanged => self.look_elsewhere(context),
            Routed::SetStatus(update) => self.set_status(update, context),
            Routed::Acted { at, state } => {
                self.take(Event::Active { at, by: None, state }, context);
            }
            Routed::Forget => {
                self.take(Event::LastSeenDeleted, context);
            }
            // A session that has ended meanwhile would never take its follow back.
            Routed::Follow(ticket) | Routed::Subscribe(ticket, _) if ticket.address().is_ended() => drop(ticket),
            Routed::Follow(ticket) => self.follow(ticket, context),
            Routed::Subscribe(ticket, record) => {
                self.take(Event::LastSeenRead(record), context);
                self.follow(ticket, context);
            }
            Routed::FollowSilently(address, watcher) => self.watch(address, watcher),
            Routed::Unfollow(ticket) => {
                self.unfollow(ticket.address());
                ticket.acknowledge();
            }
            Routed::Leave(address) => {
                self.unfollow(&address);
            }
            Routed::LeaveMember(address, answer) => self.part(&address, &answer),
            Routed::SetCustom(text, ticket) => self.set_custom(text, ticket, context),
            Routed::Conceal(addresses) => self.conceal(&addresses),
            Routed::Reveal(addresses) => self.reveal(&addresses),
            Routed::Ask(question) => self.answer(question),
            Routed::Dismiss(selection, close_request) => self.dismiss(&selection, &close_request, context),
            Routed::Close(close_request) => self.close(close_request, context),
            Routed::Retire => {
                self.retired = true;
                context.stop();
            }
            #[cfg(test)]
            Routed::InjectPanic => panic!("poisoned by a test"),
        }
    }

    /// The connections of the same dialect besides this one, on all nodes.
    fn has_beside(&self, address: &Address) -> usize {
        let others = self.presence.addresses().filter(|&other| other != address);
        let elsewhere = self.presence.live_detached().filter(|other| other.dialect == Some(address.dialect()));
        others.filter(|other| other.dialect() == address.dialect()).count() + elsewhere.count()
    }

    fn dismiss(&mut self, selection: &Selection, close_request: &CloseRequest, context: &mut Context<Self>) {
        let includes = |id: ConnectionId| selection.includes(id, self.presence.shown(id));
        let chosen = self.presence.addresses().filter(|address| includes(address.connection()));
        chosen.for_each(|address| address.close(close_request.clone()));
        if *selection == Selection::default() {
            self.take(Event::LingerCancelled, context);
        }
    }

    fn set_status(&mut self, update: SetStatus, context: &mut Context<Self>) {
        let SetStatus { connection, change, ticket } = update;
        // The acknowledgement precedes the session's own event.
        ticket.acknowledge();
        let event = match change {
            StatusChange::Shown(status) => Event::StatusSet { connection, status },
            StatusChange::Acted(at, state) => Event::Active { at, by: Some(connection), state },
        };
        self.take(event, context);
    }

    fn retire_if_idle(&self) {
        if self.presence.is_idle() && self.hidden.is_none() && !self.retired {
            let idle = Idle { user: self.presence.user(), handled: self.handled };
            self.shard.supervisor.deliver(idle);
        }
    }
}

impl Actor for UserActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        if let Some(known) = self.loading.take() {
            self.await_others(known, context);
        }
        let Some(Effects { snapshot: _, notify, retire }) = self.recovery.take() else { return };
        self.follow_up(Exit::Lost, context);
        self.write_down();
        if self.is_connected() {
            self.count_connected(true);
        }
        if let Some(diff) = notify {
            self.tell(diff, context);
        }
        if retire {
            self.retire_if_idle();
        }
    }
}

impl Handler<Routed> for UserActor {
    type Result = ();

    fn handle(&mut self, message: Routed, context: &mut Self::Context) {
        self.handled += 1;
        self.route(message, context);
        self.retire_if_idle();
    }
}

impl Handler<SetStatus> for UserActor {
    type Result = ();

    fn handle(&mut self, update: SetStatus, context: &mut Self::Context) {
        self.set_status(update, context);
    }
}

/// An actor that ends without having been retired was lost to a panic: the supervisor starts another from what is left,
/// and nobody notices.
impl Drop for UserActor {
    fn drop(&mut self) {
        if self.retired {
            return;
        }
        if self.is_connected() {
            self.count_connected(false);
        }
        self.shard.supervisor.deliver(Lost {
            told: (*self.told).clone(),
            followers: self.presence.followers().iter().cloned().collect(),
            hidden: self.hidden.take(),
            connections: self.presence.addresses().cloned().collect(),
        });
    }
}
