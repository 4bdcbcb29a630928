//! What a user shows that has no line here: on other nodes, or for a while after a line broke.

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

/// Other nodes hear that this one stops by so much before its clients do, who may be with them at once.
const HEAD_START: Duration = Duration::from_millis(100);

/// A lapse is looked for no sooner than this.
const SHORTEST_WAIT: Duration = Duration::from_millis(5);

impl UserActor {
    /// Handles nothing until it is known what other nodes have, or that this takes too long: it comes later then.
    pub(super) fn await_others(&mut self, known: oneshot::Receiver<()>, context: &mut Context<Self>) {
        let Some(nodes) = &self.shard.nodes else { return };
        let waiting = tokio::time::timeout(nodes.patience, known);
        context.wait(wrap_future(waiting).map(|_, actor: &mut Self, context| actor.look_elsewhere(context)));
    }

    /// Takes in what other nodes have.
    pub(super) fn look_elsewhere(&mut self, context: &mut Context<Self>) {
        let remote = self.shard.nodes.as_ref().and_then(|nodes| nodes.backplane.remote(self.presence.user()));
        let Some(remote) = remote else { return };
        let devices = self.members();
        let known = self.presence.custom_status().since;
        let connections = devices.iter().map(|device| device.connection()).collect();
        self.take(Event::RemoteChanged { remote, devices: connections }, context);
        let custom = self.presence.custom_status();
        if custom.since > known {
            let shown = custom.text.unwrap_or_else(StatusText::empty);
            devices.iter().for_each(|device| device.set_status(Some(shown.clone())));
        }
    }

    /// A line ended, after which the connection is shown on for `span`.
    pub(super) fn detach(&mut self, connection: ConnectionId, exit: Exit, span: Duration, context: &mut Context<Self>) {
        let address = || self.presence.addresses().find(|address| address.connection() == connection);
        let stay = (!span.is_zero()).then(|| Linger { span, info: address().and_then(|address| address.info()) });
        self.take(Event::Disconnected { connection, exit, linger: stay }, context);
    }

    /// Has every connection closed; where the node stops, after other nodes know that the clients may come to them.
    pub(super) fn close(&mut self, close_request: CloseRequest, context: &mut Context<Self>) {
        let stops = || self.shard.engine.upgrade().is_some_and(|engine| engine.is_draining());
        if self.shard.nodes.is_none() || close_request != CloseRequest::Drain || !stops() {
            return self.presence.addresses().for_each(|address| address.close(close_request.clone()));
        }
        self.drains = true;
        self.tell_others(Exit::Lost);
        context.run_later(HEAD_START, move |actor, _| {
            actor.presence.addresses().for_each(|address| address.close(close_request.clone()));
        });
    }

    /// Other nodes and the time: what they have to be told of a change here.
    pub(super) fn follow_up(&mut self, exit: Exit, context: &mut Context<Self>) {
        self.tell_others(exit);
        self.await_lapse(context);
    }

    fn tell_others(&mut self, exit: Exit) {
        let Some(nodes) = &self.shard.nodes else { return };
        let user = self.presence.user();
        let left = self.presence.connections().is_empty() && self.presence.linger_deadlines().is_some();
        let drains = self.drains && !self.presence.connections().is_empty() && !nodes.drain_linger.is_zero();
        let lingering = left || drains;
        let record = Record {
            connections: self.presence.report(|address: &Address| address.info()),
            lingering,
            superseded: self.presence.superseded(),
            custom: self.presence.custom_status(),
            left: if lingering { Vec::new() } else { self.presence.lingering() },
        };
        let known = self.announced.as_deref();
        if record.is_empty() {
            if known.is_some() {
                nodes.backplane.withdraw(user, exit);
                self.announced = None;
            }
            return;
        }
        if known == Some(&record) {
            return;
        }
        nodes.backplane.announce(user, Record { lingering: false, ..record.clone() });
        if record.lingering {
            let now = self.shard.clock.now();
            let left = self.presence.linger_deadlines().map_or(Duration::ZERO, |(_, end)| end.since(now));
            nodes.backplane.linger(user, if drains { left.max(nodes.drain_linger) } else { left });
        }
        self.announced = Some(Box::new(record));
    }

    /// Comes back when the first that is shown on is over.
    fn await_lapse(&mut self, context: &mut Context<Self>) {
        let Some((first, _)) = self.presence.linger_deadlines() else { return };
        match self.lapse {
            Some((due, _)) if due <= first => return,
            Some((_, later)) => drop(context.cancel_future(later)),
            None => {}
        }
        let wait = first.since(self.shard.clock.now()).max(SHORTEST_WAIT);
        let waiting = context.run_later(wait, |actor, context| {
            actor.lapse = None;
            actor.take(Event::LingerExpired, context);
            actor.retire_if_idle();
        });
        self.lapse = Some((first, waiting));
    }
}
