//! Telling a change to very many followers, so that nobody else waits for all of them.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{self, Poll, ready};
use std::time::Duration;

use actix::Context;
use actix::fut::ActorFuture;
use tokio::time::Sleep;

use super::user::UserActor;
use crate::metrics::Metrics;
use crate::outbox::{Address, Delivery, DeliveryCounts, DeliveryMode, Notification};
use crate::presence::time::Timestamp;

/// Followers that are told in one go by the user's own turn.
pub(super) const SMALL: usize = 256;

/// Followers told in one go; then the other users of the shard have their turn.
const STRIDE: usize = 512;

/// The same, where each of them costs a write: a millisecond or two.
const STRIDE_AT_ONCE: usize = 256;

/// How long a large fan-out waits, before it goes on, for those told last to have their turn: whoever is told something
/// else meanwhile waits behind them, and not behind everybody who follows a star.
const PAUSE: Duration = Duration::from_millis(1);

/// How often it waits that long: a machine that is never done, or a client that is cut off, must not starve it.
const PAUSES: u8 = 20;

/// How long ago the last time must be that two fan-outs of a shard were under way together, before the shard writes to
/// sockets by itself. Until then many followers are likely to be told more soon, and that leaves in one write.
const CALM: Duration = Duration::from_millis(100);

/// The fan-outs of a shard.
#[derive(Default)]
pub struct FanOuts {
    /// Held by each that is under way.
    under_way: Rc<()>,
    /// When two were, for the last time.
    crowded_at: Cell<Timestamp>,
}

impl FanOuts {
    /// How the next ones are told, and how many of them.
    fn mode(&self, now: Timestamp) -> (DeliveryMode, usize) {
        // One of them is held here.
        if Rc::strong_count(&self.under_way) > 2 {
            self.crowded_at.set(now);
        }
        if now.since(self.crowded_at.get()) < CALM {
            (DeliveryMode::Gathered(now), STRIDE)
        } else {
            (DeliveryMode::AtOnce(now), STRIDE_AT_ONCE)
        }
    }
}

/// What came of telling some followers.
pub(super) struct Delivered<'a> {
    /// Those that are gone.
    pub gone: Vec<Address>,
    /// The last one that had to be woken for it.
    woken: Option<&'a Address>,
}

pub(super) fn deliver<'a>(
    followers: impl Iterator<Item = &'a Address>,
    notification: &Notification,
    mode: DeliveryMode,
    metrics: &Metrics,
) -> Delivered<'a> {
    let mut counts = DeliveryCounts::default();
    let mut delivered = Delivered { gone: Vec::new(), woken: None };
    for follower in followers {
        match follower.notify(notification, mode, &mut counts) {
            Delivery::Woken => delivered.woken = Some(follower),
            Delivery::Waits | Delivery::Done => {}
            Delivery::Gone => delivered.gone.push(follower.clone()),
        }
    }
    counts.record(metrics);
    delivered
}

/// A change on its way to very many followers, who stay the same meanwhile: the actor waits for it.
pub(super) struct FanOut {
    notification: Notification,
    /// It is one of those under way in its shard.
    _under_way: Rc<()>,
    /// The followers in the places before this one have been told.
    told: usize,
    gone: Vec<Address>,
    /// The one woken last, until it has had its turn.
    woken: Option<Address>,
    /// Until the others on this thread have had their turn.
    rest: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// How long the one woken last is waited for.
    pause: Option<Pin<Box<Sleep>>>,
    /// How often it has been waited for.
    pauses: u8,
}

impl FanOut {
    pub(super) fn new(notification: Notification, fan_outs: &FanOuts) -> Self {
        let _under_way = fan_outs.under_way.clone();
        Self { notification, _under_way, told: 0, gone: Vec::new(), woken: None, rest: None, pause: None, pauses: 0 }
    }

    /// Waits until those told so far have had their turn, within limits.
    fn poll_turn(&mut self, task: &mut task::Context<'_>) -> Poll<()> {
        while self.pauses < PAUSES && self.woken.as_ref().is_some_and(|woken| woken.is_awake()) {
            let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(PAUSE)));
            ready!(pause.as_mut().poll(task));
            self.pause = None;
            self.pauses += 1;
        }
        self.woken = None;
        self.pauses = 0;
        Poll::Ready(())
    }
}

impl ActorFuture<UserActor> for FanOut {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        actor: &mut UserActor,
        _: &mut Context<UserActor>,
        task: &mut task::Context<'_>,
    ) -> Poll<()> {
        loop {
            if let Some(rest) = &mut self.rest {
                ready!(rest.as_mut().poll(task));
                self.rest = None;
            }
            ready!(self.poll_turn(task));
            let followers = actor.presence.followers();
            let end = followers.slots().end;
            let (mode, stride) = actor.shard.fan_outs.mode(actor.shard.clock.now());
            let next = end.min(self.told + stride);
            let mut delivered =
                deliver(followers.in_slots(self.told..next), &self.notification, mode, &actor.shard.metrics);
            self.told = next;
            self.woken = delivered.woken.cloned();
            self.gone.append(&mut delivered.gone);
            if next == end {
                break;
            }
            // And not by waking itself: a task that does is run up to thirty times before those woken from other threads.
            self.rest = Some(Box::pin(tokio::task::yield_now()));
        }
        let gone = std::mem::take(&mut self.gone);
        actor.told(&self.notification, gone);
        Poll::Ready(())
    }
}
