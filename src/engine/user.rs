//! The actor of one user. It carries out what its [`UserPresence`] decides.
//!
//! [`queries`] answers questions, [`visibility`] handles followers and privacy, [`custom_status`] the status that a
//! user gives itself for all its Tencent connections, [`remote`] other nodes and lingering connections.

mod custom_status;
pub(super) mod queries;
mod remote;
mod visibility;

use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, SpawnHandle};
use tokio::sync::oneshot;

use super::cluster::ClusterHandle;
use super::fan_out::{FanOut, FanOutActor, FanOuts, SMALL, deliver};
use super::inspection::Selection;
use super::last_seen::OnlineSweep;
use super::mailbox::Mailbox;
use super::messages::{AttachAnswer, LostActor, SetStatus, SharedMessage, StatusChange, ToShard, UserMessage};
use super::shared_privacy::SharedPrivacy;
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
    pub supervisor: Mailbox<ToShard>,
    pub clock: Clock,
    pub metrics: Metrics,
    pub online: OnlineSweep,
    pub shared_privacy: SharedPrivacy,
    /// The whole engine, for questions that concern all shards. Weak, because the engine owns the shards.
    pub engine: WeakEngine,
    pub fan_outs: FanOuts,
    /// The other nodes, or `None` when the node runs alone.
    pub nodes: Option<ClusterHandle>,
}

/// One user.
pub struct UserActor {
    pub(super) presence: UserPresence<Address>,
    /// The snapshot that every follower has. It differs from `presence` only while a change is published.
    published: Arc<Snapshot>,
    /// Followers from which the user is hidden.
    hidden: Option<Box<Followers<Address>>>,
    /// Number of [`UserMessage`]s handled so far. The supervisor compares it with the number that it routed.
    handled: u64,
    /// The actor stopped in good order. Otherwise its end is a loss.
    retired: bool,
    /// What an actor that replaces a lost one does first.
    recovery: Option<Effects>,
    /// Resolves when it is known what other nodes have of the user. `None` means that there is nothing to wait for.
    loading: Option<oneshot::Receiver<()>>,
    /// The record that other nodes have. `None` means that they have none.
    announced: Option<Box<Record>>,
    /// The node stops, and the connections will be closed.
    draining: bool,
    /// Timer for the earliest linger deadline.
    expiry: Option<(Timestamp, SpawnHandle)>,
    pub(super) shard: Rc<ShardContext>,
}

impl UserActor {
    /// An actor for a user of which nothing is known.
    pub fn new(
        presence: UserPresence<Address>,
        loading: Option<oneshot::Receiver<()>>,
        shard: Rc<ShardContext>,
    ) -> Self {
        Self {
            published: Arc::new(presence.snapshot()),
            presence,
            hidden: None,
            handled: 0,
            retired: false,
            recovery: None,
            loading,
            announced: None,
            draining: false,
            expiry: None,
            shard,
        }
    }

    /// An actor that replaces a lost one. `published` is the snapshot that the followers have.
    pub fn recover(
        published: Snapshot,
        followers: Vec<Address>,
        hidden: Option<Box<Followers<Address>>>,
        connections: Vec<Connection<Address>>,
        shard: Rc<ShardContext>,
    ) -> Self {
        let now = shard.clock.now();
        let remote = shard.nodes.as_ref().and_then(|nodes| nodes.backplane.remote(published.user));
        let (presence, effects) = UserPresence::recover(published.clone(), followers, connections, remote, now);
        let mut actor = Self::new(presence, None, shard);
        actor.published = Arc::new(published);
        actor.hidden = hidden;
        actor.recovery = Some(effects);
        // What the lost actor announced is unknown. An empty record differs from every record and allows a withdrawal.
        actor.announced = Some(Box::default());
        actor
    }

    /// Applies one event and publishes the change. Returns the snapshot of a new follower.
    fn apply(&mut self, event: Event<Address>, context: &mut Context<Self>) -> Option<Followed> {
        let was_connected = self.is_connected();
        let was_visible = self.presence.is_visible_here();
        let exit = if let Event::Disconnected { exit, .. } = &event { *exit } else { Exit::Lost };
        self.mark_seen();
        let Effects { snapshot, notify, retire: _ } = self.presence.handle(event, self.shard.clock.now());
        self.mark_seen();
        if self.presence.is_visible_here() != was_visible {
            self.record_online();
        }
        if self.is_connected() != was_connected {
            self.count_connected(!was_connected);
        }
        // A follow changes nothing that other nodes know.
        if snapshot.is_none() {
            self.after_change(exit, context);
        }
        if let Some(diff) = notify {
            self.publish(diff, context);
        }
        snapshot
    }

    /// Updates the last-seen time of a visible user.
    fn mark_seen(&mut self) {
        if self.presence.is_visible() {
            self.presence.mark_online(self.shard.clock.time_of_day());
        }
    }

    /// Records that the user becomes visible or invisible on this node.
    fn record_online(&self) {
        let user = self.presence.user();
        if self.presence.is_visible_here() {
            self.shard.online.appears(user);
        } else {
            self.shard.online.disappears(user);
        }
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

    /// Notifies every follower. The actor handles nothing else until the last one is notified, which keeps the order.
    fn publish(&mut self, diff: Diff, context: &mut Context<Self>) {
        self.shard.metrics.engine().diffs.inc();
        let notification = Notification::new(diff, self.published.clone(), self.presence.snapshot());
        if self.presence.followers().len() <= SMALL {
            let followers = self.presence.followers().iter();
            let mode = DeliveryMode::Coalesced(self.shard.clock.now());
            let delivered = deliver(followers, &notification, mode, &self.shard.metrics);
            self.finish_publishing(&notification, delivered.gone);
        } else {
            context.wait(FanOut::new(notification, &self.shard.fan_outs));
        }
    }

    fn handle_message(&mut self, message: UserMessage, context: &mut Context<Self>) {
        match message {
            UserMessage::Attach { address, max_others, answer } => self.attach(&address, max_others, answer, context),
            UserMessage::Detach { connection, exit, linger } => self.detach(connection, exit, linger, context),
            UserMessage::SetStatus(update) => self.set_status(update, context),
            UserMessage::SetCustomStatus(text, ticket) => self.set_custom_status(text, ticket, context),
            UserMessage::MarkActive { at, state } => {
                self.apply(Event::Active { at, by: None, state }, context);
            }
            // A session that has ended meanwhile would never end its follow.
            UserMessage::Follow(ticket) | UserMessage::Subscribe(ticket, _) if ticket.address().is_ended() => {
                drop(ticket);
            }
            UserMessage::Follow(ticket) => self.follow(ticket, context),
            UserMessage::Subscribe(ticket, record) => {
                self.apply(Event::LastSeenRead(record), context);
                self.follow(ticket, context);
            }
            UserMessage::Unfollow(ticket) => {
                self.unfollow(ticket.address());
                ticket.acknowledge();
            }
            UserMessage::SetHidden { addresses, hide: true } => self.hide_from(&addresses),
            UserMessage::SetHidden { addresses, hide: false } => self.show_to(&addresses),
            UserMessage::Disconnect(selection, close_request) => self.disconnect(&selection, &close_request, context),
            UserMessage::Addresses(answer) => self.send_addresses(answer),
            UserMessage::VisibleConnections { asker, answer } => self.send_visible_connections(asker, answer),
            UserMessage::Shared(message) => self.handle_shared(message, context),
            UserMessage::RemoteChanged => self.apply_remote(context),
            UserMessage::ForgetLastSeen => {
                self.apply(Event::LastSeenDeleted, context);
            }
            UserMessage::Retire => {
                self.retired = true;
                context.stop();
            }
            #[cfg(test)]
            UserMessage::InjectPanic => panic!("injected by a test"),
        }
    }

    fn handle_shared(&mut self, message: SharedMessage, context: &mut Context<Self>) {
        match message {
            SharedMessage::UnfollowSilently(address) => {
                self.unfollow(&address);
            }
            SharedMessage::FollowSilently { address, follower } => self.follow_silently(address, follower),
            SharedMessage::UnfollowAndReport(address, answer) => self.unfollow_and_report(&address, &answer),
            SharedMessage::Snapshot { asker, answer } => self.send_snapshot(asker, &answer),
            SharedMessage::Inspect(answer) => self.send_inspection(&answer),
            SharedMessage::Settle(answer) => {
                // The asker may have gone.
                let _asker_gone = answer.send(());
            }
            SharedMessage::Close(close_request) => self.close(close_request, context),
        }
    }

    fn attach(&mut self, address: &Address, max_others: usize, answer: AttachAnswer, context: &mut Context<Self>) {
        if self.count_others(address) >= max_others {
            // The asker takes the connection back.
            drop(answer.send(Err(EngineError::TooManyConnections)));
            return;
        }
        self.share_custom_status(address);
        if let Some(connection) = address.announce() {
            self.apply(Event::Connected(connection), context);
        }
        // The asker may have gone. The detachment is under way then.
        drop(answer.send(Ok(context.address().recipient())));
    }

    /// Counts the other connections in the same dialect, on all nodes.
    fn count_others(&self, address: &Address) -> usize {
        let here = self.presence.addresses().filter(|&other| other != address);
        let remote = self.presence.live_detached().filter(|other| other.dialect == Some(address.dialect()));
        here.filter(|other| other.dialect() == address.dialect()).count() + remote.count()
    }

    fn disconnect(&mut self, selection: &Selection, close_request: &CloseRequest, context: &mut Context<Self>) {
        let includes = |id: ConnectionId| selection.includes(id, self.presence.shown(id));
        let selected = self.presence.addresses().filter(|address| includes(address.connection()));
        selected.for_each(|address| address.close(close_request.clone()));
        if *selection == Selection::default() {
            self.apply(Event::LingerCancelled, context);
        }
    }

    fn set_status(&mut self, update: SetStatus, context: &mut Context<Self>) {
        let SetStatus { connection, change, ticket } = update;
        // The acknowledgement precedes the session's own event.
        ticket.acknowledge();
        let event = match change {
            StatusChange::Shown(status) => Event::StatusSet { connection, status },
            StatusChange::MarkedActive(at, state) => Event::Active { at, by: Some(connection), state },
        };
        self.apply(event, context);
    }

    fn retire_if_idle(&self) {
        if self.presence.is_idle() && self.hidden.is_none() && !self.retired {
            let idle = ToShard::Idle { user: self.presence.user(), handled: self.handled };
            self.shard.supervisor.deliver(idle);
        }
    }
}

impl FanOutActor for UserActor {
    fn followers(&self) -> &Followers<Address> {
        self.presence.followers()
    }

    fn now(&self) -> Timestamp {
        self.shard.clock.now()
    }

    fn fan_outs(&self) -> &FanOuts {
        &self.shard.fan_outs
    }

    fn metrics(&self) -> &Metrics {
        &self.shard.metrics
    }

    fn finish_publishing(&mut self, notification: &Notification, gone: Vec<Address>) {
        self.published = notification.after().clone();
        for follower in gone {
            self.presence.handle(Event::Unfollowed(follower), self.shard.clock.now());
        }
    }
}

impl Actor for UserActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        if let Some(loaded) = self.loading.take() {
            self.await_remote(loaded, context);
        }
        let Some(Effects { snapshot: _, notify, retire }) = self.recovery.take() else { return };
        self.after_change(Exit::Lost, context);
        self.record_online();
        if self.is_connected() {
            self.count_connected(true);
        }
        if let Some(diff) = notify {
            self.publish(diff, context);
        }
        if retire {
            self.retire_if_idle();
        }
    }
}

impl Handler<UserMessage> for UserActor {
    type Result = ();

    fn handle(&mut self, message: UserMessage, context: &mut Self::Context) {
        self.handled += 1;
        self.handle_message(message, context);
        self.retire_if_idle();
    }
}

impl Handler<SetStatus> for UserActor {
    type Result = ();

    fn handle(&mut self, update: SetStatus, context: &mut Self::Context) {
        self.set_status(update, context);
    }
}

/// An actor that ends without retiring was lost to a panic. The supervisor starts another one from what is left, and no
/// client notices.
impl Drop for UserActor {
    fn drop(&mut self) {
        if self.retired {
            return;
        }
        if self.is_connected() {
            self.count_connected(false);
        }
        self.shard.supervisor.deliver(ToShard::Lost(Box::new(LostActor {
            published: (*self.published).clone(),
            followers: self.presence.followers().iter().cloned().collect(),
            hidden: self.hidden.take(),
            connections: self.presence.addresses().cloned().collect(),
        })));
    }
}
