//! What a supervisor does for the accounts at its [`Desk`](super::desk::Desk).

use actix::{AsyncContext, Handler, WrapFuture};
use tokio::sync::{mpsc, oneshot};

use super::Engine;
use super::desk::{Last, Turn};
use super::mailbox::{Letter, Mail};
use super::messages::{Leave, Part, Watch};
use super::supervisor::Supervisor;
use crate::outbox::{Address, Ticket};
use crate::presence::account::AccountName;
use crate::presence::calls::{Call, TooOften};
use crate::presence::general::Exit;
use crate::presence::id::UserId;
use crate::presence::standing::{Change, Standing};

/// An account calls.
pub struct CountCall {
    pub account: UserId,
    pub call: Call,
    pub answer: oneshot::Sender<Result<(), TooOften>>,
}

/// A device is logged in; its tickets are passed on.
pub struct Enter {
    pub account: UserId,
    pub device: Address,
    pub standing: Standing,
    pub friends: Vec<AccountName>,
    pub tickets: Vec<Ticket>,
}

/// An account's subscriptions have changed; the tickets of the device that asked are passed on.
pub struct Relist {
    pub account: UserId,
    pub standing: Standing,
    pub tickets: Vec<Ticket>,
    /// Gets word when all devices are told no more of whom is dropped.
    pub answer: Option<oneshot::Sender<()>>,
}

/// An account's friends have changed, whose changes it is told.
pub struct Befriend {
    pub account: UserId,
    pub friends: Vec<AccountName>,
}

/// A device is gone. Never refused.
pub struct Depart {
    pub account: UserId,
    pub device: Address,
    pub exit: Exit,
    /// Gets word when that is written down.
    pub answer: Option<oneshot::Sender<()>>,
}

impl Mail for CountCall {}
impl Mail for Enter {}
impl Mail for Relist {}
impl Mail for Befriend {}
impl Mail for Depart {}

impl Supervisor {
    fn engine(&self) -> Option<Engine> {
        self.surroundings.engine.upgrade()
    }

    /// Has all devices of an account follow and unfollow, but for those that `asking` follows by itself.
    fn carry_out(&self, account: UserId, turn: Turn, asking: Option<&Address>) {
        let Some(engine) = self.engine() else { return };
        let added: Vec<UserId> = turn.added.iter().map(AccountName::user).collect();
        for device in &turn.devices {
            device.unname_all(&turn.removed);
            engine.leave(&turn.removed, device);
            if asking != Some(device) {
                device.name_all(turn.added.iter());
                engine.watch(&added, device, account);
            }
        }
    }

    fn pass_on(&self, tickets: Vec<Ticket>) {
        if let Some(engine) = self.engine()
            && let Err(error) = engine.follow_by(tickets)
        {
            log::warn!("a command was not taken: {error}");
        }
    }

    /// Writes down how an account left, and what it was told last of those it subscribes to.
    fn part(&self, depart: Depart, last: Last, context: &mut <Self as actix::Actor>::Context) {
        let Depart { account, device, exit, answer } = depart;
        let Some(engine) = self.engine() else { return };
        engine.leave(&last.others, &device);
        let (teller, mut told) = mpsc::unbounded_channel();
        engine.part(&last.subscriptions, &device, &teller);
        drop((teller, engine));
        let (ties, clock) = (self.surroundings.desk.ties.clone(), self.surroundings.clock.clone());
        let writing = async move {
            let mut list = Vec::new();
            while let Some(one) = told.recv().await {
                list.push(one);
            }
            let change = Change::Part { exit, told: list, login: last.login, now: clock.time_of_day() };
            if let Err(error) = ties.change(account, change).await {
                log::warn!("the end of a login could not be written down: {error}");
            }
            // Who asked may no longer wait.
            answer.map(|answer| answer.send(()));
        };
        context.spawn(writing.into_actor(self));
    }
}

impl Handler<Letter<CountCall>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<CountCall>, _: &mut Self::Context) {
        let CountCall { account, call, answer } = letter.content;
        let now = self.surroundings.clock.now();
        // Who asked may no longer wait.
        let _asker_gone = answer.send(self.desk.call(account, call, &self.surroundings.desk, now));
    }
}

impl Handler<Letter<Enter>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Enter>, _: &mut Self::Context) {
        let Enter { account, device, standing, friends, tickets } = letter.content;
        // One that has ended meanwhile would never leave.
        if device.is_ended() {
            return;
        }
        let turn = self.desk.enter(account, device, &standing, friends, &self.surroundings.desk);
        self.carry_out(account, turn, None);
        self.pass_on(tickets);
    }
}

impl Handler<Letter<Relist>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Relist>, _: &mut Self::Context) {
        let Relist { account, standing, tickets, answer } = letter.content;
        let asking = tickets.first().map(|ticket| ticket.address().clone());
        if let Some(turn) = self.desk.relist(account, &standing) {
            self.carry_out(account, turn, asking.as_ref());
        }
        self.pass_on(tickets);
        // Who asked may no longer wait.
        answer.map(|answer| answer.send(()));
    }
}

impl Handler<Letter<Befriend>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Befriend>, _: &mut Self::Context) {
        let Befriend { account, friends } = letter.content;
        if let Some(turn) = self.desk.befriend(account, friends) {
            self.carry_out(account, turn, None);
        }
    }
}

impl Handler<Letter<Depart>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Depart>, context: &mut Self::Context) {
        let depart = letter.content;
        let (account, now) = (depart.account, self.surroundings.clock.now());
        let follows = self.desk.follows(account);
        match self.desk.leave(account, &depart.device, &self.surroundings.desk, now) {
            Some(last) => self.part(depart, last, context),
            None => {
                if let Some(engine) = self.engine() {
                    engine.leave(&follows, &depart.device);
                }
                // Who asked may no longer wait.
                depart.answer.map(|answer| answer.send(()));
            }
        }
    }
}

impl Leave {
    /// The end of these follows.
    pub fn new(users: Vec<UserId>, address: &Address) -> Self {
        Self { users, address: address.clone() }
    }
}

impl Watch {
    /// A device follows these.
    pub fn new(users: Vec<UserId>, address: &Address, watcher: UserId) -> Self {
        Self { users, address: address.clone(), watcher }
    }
}

impl Part {
    /// The last device of an account ends.
    pub fn new(
        users: Vec<UserId>,
        address: &Address,
        answer: &mpsc::UnboundedSender<(UserId, crate::presence::subscriptions::Told)>,
    ) -> Self {
        Self { users, address: address.clone(), answer: answer.clone() }
    }
}
