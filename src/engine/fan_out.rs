//! Delivers a change to many followers in strides, so that no other user of the shard waits for all of them.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{self, Poll, ready};
use std::time::Duration;

use actix::Actor;
use actix::fut::ActorFuture;
use tokio::time::Sleep;

use crate::metrics::Metrics;
use crate::outbox::{Address, Delivery, DeliveryCounts, DeliveryMode, Notification};
use crate::presence::followers::Followers;
use crate::presence::time::Timestamp;

/// Maximum number of followers that a user actor notifies at once, without a [`FanOut`].
pub(super) const SMALL: usize = 256;

/// Followers notified in one stride. Then the other users of the shard run.
const STRIDE: usize = 512;

/// Followers notified in one stride where each costs a socket write: one or two milliseconds in all.
const STRIDE_AT_ONCE: usize = 256;

/// Length of one pause of a large fan-out, for the followers notified last to run. So a client that gets another event
/// meanwhile waits for one stride, not for all followers of a popular user.
const PAUSE: Duration = Duration::from_millis(1);

/// Maximum number of pauses between two strides, because neither a busy machine nor a client that is cut off may stop
/// the fan-out.
const MAX_PAUSES: u8 = 20;

/// Time without two concurrent fan-outs after which the shard writes to sockets by itself. Before that, many followers
/// are likely to get more changes soon, and those leave in one write.
const CALM: Duration = Duration::from_millis(100);

/// The fan-outs of a shard.
#[derive(Default)]
pub struct FanOuts {
    running: Rc<Cell<usize>>,
    /// When two fan-outs ran at the same time, most recently.
    crowded_at: Cell<Timestamp>,
}

impl FanOuts {
    fn start(&self) -> RunningFanOut {
        self.running.set(self.running.get() + 1);
        RunningFanOut(self.running.clone())
    }

    /// Notes whether fan-outs run at the same time. Call it before each stride.
    fn note_concurrency(&self, now: Timestamp) {
        if self.running.get() > 1 {
            self.crowded_at.set(now);
        }
    }

    /// Returns how the next followers are notified, and how many of them.
    fn mode(&self, now: Timestamp) -> (DeliveryMode, usize) {
        if now.since(self.crowded_at.get()) < CALM {
            (DeliveryMode::Coalesced(now), STRIDE)
        } else {
            (DeliveryMode::Direct(now), STRIDE_AT_ONCE)
        }
    }
}

/// Counts one running fan-out until it is dropped.
struct RunningFanOut(Rc<Cell<usize>>);

impl Drop for RunningFanOut {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

/// The result of notifying some followers.
pub(super) struct Delivered<'a> {
    /// Followers that are gone.
    pub gone: Vec<Address>,
    /// The last follower that was woken.
    woken: Option<&'a Address>,
}

/// Puts a notification into the followers' outboxes.
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

/// An actor with followers: the user actor.
pub(super) trait FanOutActor: Actor {
    /// Returns its followers.
    fn followers(&self) -> &Followers<Address>;

    /// Returns the time.
    fn now(&self) -> Timestamp;

    /// Returns the fan-outs of its shard.
    fn fan_outs(&self) -> &FanOuts;

    /// Returns the metrics.
    fn metrics(&self) -> &Metrics;

    /// Ends the publication of a change. `gone` are followers that are gone.
    fn finish_publishing(&mut self, notification: &Notification, gone: Vec<Address>);
}

/// A change on its way to many followers. The user actor waits for it, so the followers stay the same meanwhile.
pub(super) struct FanOut {
    notification: Notification,
    _running: RunningFanOut,
    /// The position of the first follower that has not been notified.
    next: usize,
    /// Followers that are gone.
    gone: Vec<Address>,
    /// The follower woken last, until it has run.
    woken: Option<Address>,
    /// Yields to the other tasks of this thread.
    yielding: Option<Pin<Box<dyn Future<Output = ()>>>>,
    /// The current pause for the follower woken last.
    pause: Option<Pin<Box<Sleep>>>,
    /// Number of pauses after the last stride.
    pauses: u8,
}

impl FanOut {
    pub(super) fn new(notification: Notification, fan_outs: &FanOuts) -> Self {
        Self {
            notification,
            _running: fan_outs.start(),
            next: 0,
            gone: Vec::new(),
            woken: None,
            yielding: None,
            pause: None,
            pauses: 0,
        }
    }

    /// Waits until the followers notified so far have run, at most [`MAX_PAUSES`] times.
    fn poll_woken(&mut self, task: &mut task::Context<'_>) -> Poll<()> {
        while self.pauses < MAX_PAUSES && self.woken.as_ref().is_some_and(|woken| woken.is_awake()) {
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

impl<A: FanOutActor> ActorFuture<A> for FanOut {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, actor: &mut A, _: &mut A::Context, task: &mut task::Context<'_>) -> Poll<()> {
        loop {
            if let Some(yielding) = &mut self.yielding {
                ready!(yielding.as_mut().poll(task));
                self.yielding = None;
            }
            ready!(self.poll_woken(task));
            let followers = actor.followers();
            let end = followers.slots().end;
            let now = actor.now();
            actor.fan_outs().note_concurrency(now);
            let (mode, stride) = actor.fan_outs().mode(now);
            let next = end.min(self.next + stride);
            let mut delivered = deliver(followers.in_slots(self.next..next), &self.notification, mode, actor.metrics());
            self.next = next;
            self.woken = delivered.woken.cloned();
            self.gone.append(&mut delivered.gone);
            if next == end {
                break;
            }
            // A task that wakes itself would run up to thirty times before the tasks that other threads woke.
            self.yielding = Some(Box::pin(tokio::task::yield_now()));
        }
        let gone = std::mem::take(&mut self.gone);
        actor.finish_publishing(&self.notification, gone);
        Poll::Ready(())
    }
}
