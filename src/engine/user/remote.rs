//! Connections of a user that have no socket on this node: those of other nodes, and those that linger after a loss.

use std::time::Duration;

use actix::fut::wrap_future;
use actix::{ActorFutureExt, AsyncContext, Context};
use tokio::sync::oneshot;

use super::UserActor;
use crate::cluster::record::Record;
use crate::outbox::{Address, CloseRequest};
use crate::presence::general_status::Exit;
use crate::presence::id::ConnectionId;
use crate::presence::linger::Linger;
use crate::presence::status::StatusText;
use crate::presence::user::Event;

/// Time between telling the other nodes that this node stops and closing its clients, which may connect to the others
/// at once.
const HEAD_START: Duration = Duration::from_millis(100);

/// Minimum time until the expiry timer fires.
const MIN_EXPIRY_DELAY: Duration = Duration::from_millis(5);

impl UserActor {
    /// Handles nothing until it is known what other nodes have. After a timeout it goes on, and the presence comes
    /// later.
    pub(super) fn await_remote(&mut self, loaded: oneshot::Receiver<()>, context: &mut Context<Self>) {
        let Some(nodes) = &self.shard.nodes else { return };
        let waiting = tokio::time::timeout(nodes.patience, loaded);
        context.wait(wrap_future(waiting).map(|_, actor: &mut Self, context| actor.apply_remote(context)));
    }

    /// Applies what other nodes have of the user.
    pub(super) fn apply_remote(&mut self, context: &mut Context<Self>) {
        let remote = self.shard.nodes.as_ref().and_then(|nodes| nodes.backplane.remote(self.presence.user()));
        let Some(remote) = remote else { return };
        let addresses = self.tencent_addresses();
        let known = self.presence.custom_status().since;
        let connections = addresses.iter().map(|address| address.connection()).collect();
        self.apply(Event::RemoteChanged { remote, devices: connections }, context);
        let custom = self.presence.custom_status();
        if custom.since > known {
            let shown = custom.text.unwrap_or_else(StatusText::empty);
            addresses.iter().for_each(|address| address.set_status(Some(shown.clone())));
        }
    }

    /// Removes a connection, which then lingers for `span`.
    pub(super) fn detach(&mut self, connection: ConnectionId, exit: Exit, span: Duration, context: &mut Context<Self>) {
        let address = || self.presence.addresses().find(|address| address.connection() == connection);
        let linger = (!span.is_zero()).then(|| Linger { span, info: address().and_then(|address| address.info()) });
        self.apply(Event::Disconnected { connection, exit, linger }, context);
    }

    /// Closes every connection. When the node stops, first tells the other nodes, which the clients may join at once.
    pub(super) fn close(&mut self, close_request: CloseRequest, context: &mut Context<Self>) {
        let stops = || self.shard.engine.upgrade().is_some_and(|engine| engine.is_draining());
        if self.shard.nodes.is_none() || close_request != CloseRequest::Drain || !stops() {
            return self.presence.addresses().for_each(|address| address.close(close_request.clone()));
        }
        self.draining = true;
        self.announce(Exit::Lost);
        context.run_later(HEAD_START, move |actor, _| {
            actor.presence.addresses().for_each(|address| address.close(close_request.clone()));
        });
    }

    /// Announces a change to the other nodes and sets the expiry timer.
    pub(super) fn after_change(&mut self, exit: Exit, context: &mut Context<Self>) {
        self.announce(exit);
        self.schedule_expiry(context);
    }

    /// Announces the user's record to the other nodes, or withdraws it.
    fn announce(&mut self, exit: Exit) {
        let Some(nodes) = &self.shard.nodes else { return };
        let user = self.presence.user();
        let is_connected = self.is_connected();
        let only_lingers = !is_connected && self.presence.linger_deadlines().is_some();
        let lingers_after_drain = self.draining && is_connected && !nodes.drain_linger.is_zero();
        let lingering = only_lingers || lingers_after_drain;
        let record = Record {
            connections: self.presence.report(|address: &Address| address.info()),
            lingering,
            superseded: self.presence.superseded(),
            custom: self.presence.custom_status(),
            left: if lingering { Vec::new() } else { self.presence.lingering() },
        };
        let announced = self.announced.as_deref();
        if record.is_empty() {
            if announced.is_some() {
                nodes.backplane.withdraw(user, exit);
                self.announced = None;
            }
            return;
        }
        if announced == Some(&record) {
            return;
        }
        nodes.backplane.announce(user, Record { lingering: false, ..record.clone() });
        if record.lingering {
            let now = self.shard.clock.now();
            let left = self.presence.linger_deadlines().map_or(Duration::ZERO, |(_, end)| end.since(now));
            nodes.backplane.linger(user, if lingers_after_drain { left.max(nodes.drain_linger) } else { left });
        }
        self.announced = Some(Box::new(record));
    }

    /// Sets the timer for the earliest linger deadline.
    fn schedule_expiry(&mut self, context: &mut Context<Self>) {
        let Some((first, _)) = self.presence.linger_deadlines() else { return };
        match self.expiry {
            Some((due, _)) if due <= first => return,
            Some((_, later)) => drop(context.cancel_future(later)),
            None => {}
        }
        let delay = first.since(self.shard.clock.now()).max(MIN_EXPIRY_DELAY);
        let timer = context.run_later(delay, |actor, context| {
            actor.expiry = None;
            actor.apply(Event::LingerExpired, context);
            actor.retire_if_idle();
        });
        self.expiry = Some((first, timer));
    }
}
