//! The actor of one user: carries out what its [`UserPresence`] decides.

use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{self, Poll, ready};
use std::time::Duration;

use actix::fut::ActorFuture;
use actix::{Actor, ActorContext, AsyncContext, Context, Handler};
use tokio::time::Sleep;

use super::examination::Examined;
use super::mailbox::Mailbox;
use super::messages::{Idle, Lost, Routed, SetStatus};
use super::supervisor::Supervisor;
use super::ticks::Visible;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::outbox::{Address, Notification, Pace, Tally, Told, VisibleConnection};
use crate::presence::diff::{Diff, Snapshot};
use crate::presence::time::Timestamp;
use crate::presence::user::{Connection, Effects, Event, Followed, UserPresence};

/// Followers told in one go; then the other users of the shard have their turn.
const FAN_OUT_STRIDE: usize = 256;

/// How long a large fan-out waits, before it goes on, for those told last to have their turn: whoever is told something
/// else meanwhile waits behind them, and not behind everybody who follows a star.
const FAN_OUT_PAUSE: Duration = Duration::from_millis(1);

/// How often it waits that long: a machine that is never done, or a client that is cut off, must not starve it.
const FAN_OUT_PAUSES: u8 = 20;

/// What all user actors of a shard share.
pub struct Surroundings {
    pub supervisor: Mailbox<Supervisor>,
    pub clock: Clock,
    pub metrics: Metrics,
    pub visible: Visible,
}

/// One user.
pub struct UserActor {
    presence: UserPresence<Address>,
    /// What every follower has been told; differs from `presence` only while a change is being told.
    told: Arc<Snapshot>,
    /// The supervisor's messages handled so far.
    handled: u64,
    /// Stopped in good order: otherwise its end is a loss.
    retired: bool,
    /// What the actor has to do first, if it stands in for a lost one.
    recovery: Option<Effects>,
    surroundings: Rc<Surroundings>,
}

impl UserActor {
    /// The actor of a user of whom nothing is known.
    pub fn new(presence: UserPresence<Address>, surroundings: Rc<Surroundings>) -> Self {
        let told = Arc::new(presence.snapshot());
        Self { presence, told, handled: 0, retired: false, recovery: None, surroundings }
    }

    /// The actor of a user whose last one was lost.
    pub fn recover(
        told: Snapshot,
        followers: Vec<Address>,
        connections: Vec<Connection<Address>>,
        now: Timestamp,
        surroundings: Rc<Surroundings>,
    ) -> Self {
        let (presence, effects) = UserPresence::recover(told.clone(), followers, connections, now);
        let told = Arc::new(told);
        Self { presence, told, handled: 0, retired: false, recovery: Some(effects), surroundings }
    }

    /// Takes in one event and tells the followers what came of it; the snapshot, if there is one, is the caller's to use.
    fn take(&mut self, event: Event<Address>, context: &mut Context<Self>) -> Option<Followed> {
        let (connected, visible) = (self.is_connected(), self.presence.is_visible());
        let Effects { snapshot, notify, retire: _ } = self.presence.handle(event, self.surroundings.clock.now());
        if self.presence.is_visible() != visible {
            self.write_down();
        }
        if self.is_connected() != connected {
            self.count_connected(!connected);
        }
        if let Some(diff) = notify {
            self.tell(diff, context);
        }
        snapshot
    }

    /// Has it written down that the user is online from here on, or no longer.
    fn write_down(&self) {
        let (visible, user) = (&self.surroundings.visible, self.presence.user());
        if self.presence.is_visible() { visible.appears(user) } else { visible.disappears(user) }
    }

    fn is_connected(&self) -> bool {
        !self.presence.connections().is_empty()
    }

    fn count_connected(&self, connected: bool) {
        let gauge = &self.surroundings.metrics.engine().connected;
        if connected {
            gauge.inc()
        } else {
            gauge.dec()
        };
    }

    /// Tells every follower. Nothing else is handled until the last one is told, so that none is told out of order.
    fn tell(&mut self, diff: Diff, context: &mut Context<Self>) {
        self.surroundings.metrics.engine().diffs.inc();
        let notification = Notification::new(diff, self.presence.snapshot());
        if self.presence.followers().len() <= FAN_OUT_STRIDE {
            let followers = self.presence.followers().iter();
            let delivered = deliver(followers, &notification, Pace::Gathered, &self.surroundings.metrics);
            self.told(&notification, delivered.gone);
        } else {
            context.wait(Telling { notification, told: 0, gone: Vec::new(), woken: None, pause: None, pauses: 0 });
        }
    }

    fn told(&mut self, notification: &Notification, gone: Vec<Address>) {
        self.told = notification.after().clone();
        for follower in gone {
            self.presence.handle(Event::Unfollowed(follower), self.surroundings.clock.now());
        }
    }

    fn route(&mut self, message: Routed, context: &mut Context<Self>) {
        match message {
            Routed::Attach { address, answer } => {
                if let Some(connection) = address.announce() {
                    self.take(Event::Connected(connection), context);
                }
                // Who asked may have gone; its detachment is under way then.
                drop(answer.send(Ok(context.address())));
            }
            Routed::Detach { connection, exit } => {
                self.take(Event::Disconnected { connection, exit }, context);
            }
            Routed::SetStatus(update) => self.set_status(update, context),
            Routed::Active => {
                self.take(Event::Active, context);
            }
            // A session that has ended meanwhile would never take its follow back.
            Routed::Follow(ticket) if ticket.address().is_ended() => drop(ticket),
            Routed::Follow(ticket) => {
                if let Some(followed) = self.take(Event::Followed(ticket.address().clone()), context) {
                    ticket.snapshot(followed);
                }
            }
            Routed::Unfollow(ticket) => {
                self.take(Event::Unfollowed(ticket.address().clone()), context);
                ticket.acknowledge();
            }
            Routed::Leave(address) => {
                self.take(Event::Unfollowed(address), context);
            }
            Routed::Inspect(answer) => {
                let status = self.presence.general_status();
                // Who asked may no longer wait.
                let _asker_gone = answer.send((self.presence.user(), status));
            }
            Routed::Show(answer) => {
                let visible = self.presence.visible();
                let shown =
                    visible.map(|each| VisibleConnection { connection: each.id, info: each.address.info() }).collect();
                // Who asked may no longer wait.
                drop(answer.send(shown));
            }
            Routed::Examine(answer) => {
                // Who asked may no longer wait.
                let _asker_gone = answer.send((self.presence.user(), Examined::of(&self.presence)));
            }
            Routed::Dismiss(selection, farewell) => {
                let chosen = self.presence.addresses().filter(|address| selection.includes(address.connection()));
                chosen.for_each(|address| address.close(farewell.clone()));
            }
            Routed::Close(farewell) => self.presence.addresses().for_each(|address| address.close(farewell.clone())),
            Routed::Retire => {
                self.retired = true;
                context.stop();
            }
            #[cfg(test)]
            Routed::Poison => panic!("poisoned by a test"),
        }
    }

    fn set_status(&mut self, update: SetStatus, context: &mut Context<Self>) {
        let SetStatus { connection, status, ticket } = update;
        // The acknowledgement precedes the session's own event.
        ticket.acknowledge();
        self.take(Event::StatusSet { connection, status }, context);
    }

    fn retire_if_idle(&self) {
        if self.presence.is_idle() && !self.retired {
            let idle = Idle { user: self.presence.user(), handled: self.handled };
            self.surroundings.supervisor.deliver(idle);
        }
    }
}

/// What came of telling some followers.
struct Delivered<'a> {
    /// Those that are gone.
    gone: Vec<Address>,
    /// The last one that had to be woken for it.
    woken: Option<&'a Address>,
}

fn deliver<'a>(
    followers: impl Iterator<Item = &'a Address>,
    notification: &Notification,
    pace: Pace,
    metrics: &Metrics,
) -> Delivered<'a> {
    let mut tally = Tally::default();
    let mut delivered = Delivered { gone: Vec::new(), woken: None };
    for follower in followers {
        match follower.notify(notification, pace, &mut tally) {
            Told::Woken => delivered.woken = Some(follower),
            Told::Waits | Told::Done => {}
            Told::Gone => delivered.gone.push(follower.clone()),
        }
    }
    tally.record(metrics);
    delivered
}

/// A change on its way to very many followers, who stay the same meanwhile: the actor waits for it.
struct Telling {
    notification: Notification,
    /// The followers in the places before this one have been told.
    told: usize,
    gone: Vec<Address>,
    /// The one woken last, until it has had its turn.
    woken: Option<Address>,
    /// How long it is waited for.
    pause: Option<Pin<Box<Sleep>>>,
    /// How often it has been waited for.
    pauses: u8,
}

impl Telling {
    /// Waits until those told so far have had their turn, within limits.
    fn poll_turn(&mut self, task: &mut task::Context<'_>) -> Poll<()> {
        while self.pauses < FAN_OUT_PAUSES && self.woken.as_ref().is_some_and(|woken| woken.is_awake()) {
            let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(FAN_OUT_PAUSE)));
            ready!(pause.as_mut().poll(task));
            self.pause = None;
            self.pauses += 1;
        }
        self.woken = None;
        self.pauses = 0;
        Poll::Ready(())
    }
}

impl ActorFuture<UserActor> for Telling {
    type Output = ();

    fn poll(
        mut self: Pin<&mut Self>,
        actor: &mut UserActor,
        _: &mut Context<UserActor>,
        task: &mut task::Context<'_>,
    ) -> Poll<()> {
        ready!(self.poll_turn(task));
        let followers = actor.presence.followers();
        let end = followers.places().end;
        let next = end.min(self.told + FAN_OUT_STRIDE);
        let pace = Pace::AtOnce(actor.surroundings.clock.now());
        let mut delivered =
            deliver(followers.within(self.told..next), &self.notification, pace, &actor.surroundings.metrics);
        self.told = next;
        self.woken = delivered.woken.cloned();
        self.gone.append(&mut delivered.gone);
        if next < end {
            // After the other users of this shard.
            task.waker().wake_by_ref();
            return Poll::Pending;
        }
        let gone = std::mem::take(&mut self.gone);
        actor.told(&self.notification, gone);
        Poll::Ready(())
    }
}

impl Actor for UserActor {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Self::Context) {
        let Some(Effects { snapshot: _, notify, retire }) = self.recovery.take() else { return };
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
        self.surroundings.supervisor.deliver(Lost {
            told: (*self.told).clone(),
            followers: self.presence.followers().iter().cloned().collect(),
            connections: self.presence.addresses().cloned().collect(),
        });
    }
}
