//! What a supervisor does for the accounts at its [`Desk`](super::desk::Desk).

use actix::Handler;
use hashbrown::HashSet;
use tokio::sync::{mpsc, oneshot};

use super::Engine;
use super::desk::{Last, Turn};
use super::mailbox::{Letter, Mail};
use super::messages::{Leave, Part, Watch};
use super::nodes::Nodes;
use super::supervisor::Supervisor;
use crate::cluster::CallWindow;
use crate::outbox::{Address, Ticket};
use crate::presence::account::AccountName;
use crate::presence::calls::{Call, TooOften};
use crate::presence::general::Exit;
use crate::presence::id::UserId;
use crate::presence::standing::{Change, Site, Standing};
use crate::store::StoreError;

/// An account calls.
pub struct CountCall {
    pub account: UserId,
    pub call: Call,
    pub answer: oneshot::Sender<Result<(), TooOften>>,
}

/// A device begins to log in.
pub struct Arrive {
    pub account: UserId,
    pub device: Address,
    /// Gets the standing once the login is written down.
    pub answer: oneshot::Sender<Result<Standing, StoreError>>,
}

/// A login has been written down, or could not be. Never refused.
pub struct Arrived {
    pub account: UserId,
    pub device: Address,
    pub written: Result<Standing, StoreError>,
    pub answer: oneshot::Sender<Result<Standing, StoreError>>,
}

/// A device's login is through; its tickets are passed on. Never refused.
pub struct Enter {
    pub account: UserId,
    pub device: Address,
    pub standing: Standing,
    pub friends: Vec<AccountName>,
    pub tickets: Vec<Ticket>,
}

/// An account's subscriptions have changed; the tickets of the device that asked are passed on. Never refused: it is
/// written down.
pub struct Relist {
    pub account: UserId,
    pub standing: Standing,
    pub tickets: Vec<Ticket>,
    /// Gets word when all devices are told no more of whom is dropped.
    pub answer: Option<oneshot::Sender<()>>,
}

/// A device asks for users again who did not answer it.
pub struct AskAgain {
    pub account: UserId,
    pub tickets: Vec<Ticket>,
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

/// Somebody asks which accounts have devices here, and which revision of the subscriptions is known of each.
pub struct Seated {
    /// This one only; none: all.
    pub account: Option<UserId>,
    pub answer: oneshot::Sender<Vec<(UserId, u64)>>,
}

impl Mail for CountCall {}
impl Mail for Seated {}
impl Mail for Arrive {}
impl Mail for Arrived {}
impl Mail for Enter {}
impl Mail for Relist {}
impl Mail for AskAgain {}
impl Mail for Befriend {}
impl Mail for Depart {}

impl Supervisor {
    fn engine(&self) -> Option<Engine> {
        self.surroundings.engine.upgrade()
    }

    /// Has all devices of an account follow and unfollow; the one that is `asking` follows these users by itself.
    fn carry_out(&self, account: UserId, turn: Turn, asking: Option<(&Address, &HashSet<UserId>)>) {
        let Some(engine) = self.engine() else { return };
        for device in &turn.devices {
            device.unname_all(&turn.removed);
            engine.leave(&turn.removed, device);
            let asked = asking.filter(|(address, _)| *address == device).map(|(_, users)| users);
            let added = turn.added.iter().filter(|name| asked.is_none_or(|users| !users.contains(&name.user())));
            watch(&engine, account, device, &added.collect::<Vec<_>>());
        }
    }

    /// Passes a device's tickets on. Of somebody who is on no list, or no longer, it learns what it asked, and nothing
    /// after that.
    fn pass_on(&self, account: UserId, tickets: Vec<Ticket>) {
        let Some(engine) = self.engine() else { return };
        let listed = self.desk.follows(account);
        let sort = |ticket: Ticket| {
            let user = ticket.user();
            if user == account || listed.contains(&user) { ticket } else { ticket.once() }
        };
        if let Err(error) = engine.follow_by(tickets.into_iter().map(sort).collect()) {
            log::warn!("a command was not taken: {error}");
        }
    }

    /// Writes down how an account left, and what it was told last of those it subscribes to.
    fn part(&self, depart: Depart, last: Last) {
        let Depart { account, device, exit, answer } = depart;
        let Some(engine) = self.engine() else { return };
        engine.leave(&last.others, &device);
        let (teller, mut told) = mpsc::unbounded_channel();
        engine.part(&last.subscriptions, &device, &teller);
        drop((teller, engine));
        let (ties, clock) = (self.surroundings.desk.ties.clone(), self.surroundings.clock.clone());
        let nodes = self.surroundings.nodes.clone();
        let writing = async move {
            let mut list = Vec::new();
            while let Some(one) = told.recv().await {
                list.push(one);
            }
            let site = site(nodes).await;
            let change = Change::Part { exit, told: list, login: last.login, site, now: clock.time_of_day() };
            if let Err(error) = ties.change(account, change).await {
                log::warn!("the end of a login could not be written down: {error}");
            }
            // Who asked may no longer wait.
            answer.map(|answer| answer.send(()));
        };
        actix::spawn(writing);
    }
}

/// Has a device follow these without an answer.
fn watch(engine: &Engine, account: UserId, device: &Address, names: &[&AccountName]) {
    device.name_all(names.iter().copied());
    let users: Vec<UserId> = names.iter().map(|name| name.user()).collect();
    engine.watch(&users, device, account);
}

/// Where something happens to an account.
async fn site(nodes: Option<Nodes>) -> Site {
    match nodes {
        Some(nodes) => nodes.site().await,
        None => Site::default(),
    }
}

fn asked(tickets: &[Ticket]) -> HashSet<UserId> {
    tickets.iter().map(Ticket::user).collect()
}

impl Handler<Letter<CountCall>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<CountCall>, _: &mut Self::Context) {
        let CountCall { account, call, answer } = letter.content;
        let now = self.surroundings.clock.now();
        if let Some(nodes) = self.surroundings.nodes.clone() {
            let rules = &self.surroundings.desk;
            let (limit, window) =
                (rules.calls, CallWindow { name: call.name(), limit: rules.calls, span: rules.window });
            actix::spawn(async move {
                match nodes.backplane.take_call(account, window).await {
                    Ok(taken) => drop(answer.send(taken.map_err(|wait| TooOften { limit, again: now + wait }))),
                    // Without an answer the caller is told to try again.
                    Err(error) => log::debug!("a call could not be counted: {error}"),
                }
            });
            return;
        }
        // Who asked may no longer wait.
        let _asker_gone = answer.send(self.desk.call(account, call, &self.surroundings.desk, now));
    }
}

impl Handler<Letter<Seated>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Seated>, _: &mut Self::Context) {
        let Seated { account, answer } = letter.content;
        // Who asked may no longer wait.
        drop(answer.send(self.desk.seated(account)));
    }
}

impl Handler<Letter<Arrive>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Arrive>, _: &mut Self::Context) {
        let Arrive { account, device, answer } = letter.content;
        let rules = &self.surroundings.desk;
        self.desk.arrive(account, device.clone(), rules);
        let (now, lifetime) = (self.surroundings.clock.time_of_day(), rules.lifetime);
        let nodes = self.surroundings.nodes.clone();
        let (ties, desk) = (rules.ties.clone(), self.surroundings.supervisor.clone());
        // Not on the session's behalf: the desk has to learn the login's number also if nobody waits for it any more.
        actix::spawn(async move {
            let change = Change::Arrive { now, lifetime, site: site(nodes).await };
            let written = ties.change(account, change).await.map(|changed| changed.standing);
            desk.deliver(Arrived { account, device, written, answer });
        });
    }
}

impl Handler<Letter<Arrived>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Arrived>, _: &mut Self::Context) {
        let Arrived { account, device, written, answer } = letter.content;
        if let Ok(standing) = &written
            && let Some(last) = self.desk.arrived(account, standing.logins)
        {
            self.part(Depart { account, device, exit: Exit::Lost, answer: None }, last);
        }
        // Who asked may no longer wait.
        drop(answer.send(written));
    }
}

impl Handler<Letter<Enter>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Enter>, _: &mut Self::Context) {
        let Enter { account, device, standing, friends, tickets } = letter.content;
        let Some(entrance) = self.desk.enter(account, &device, &standing, friends, asked(&tickets)) else { return };
        self.carry_out(account, entrance.others, None);
        if let Some(engine) = self.engine() {
            watch(&engine, account, &device, &entrance.missing.iter().collect::<Vec<_>>());
        }
        self.pass_on(account, tickets);
    }
}

impl Handler<Letter<Relist>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Relist>, _: &mut Self::Context) {
        let Relist { account, standing, tickets, answer } = letter.content;
        if let Some(turn) = self.desk.relist(account, &standing) {
            let asked = asked(&tickets);
            self.carry_out(account, turn, tickets.first().map(|ticket| (ticket.address(), &asked)));
        }
        self.pass_on(account, tickets);
        // Who asked may no longer wait.
        answer.map(|answer| answer.send(()));
    }
}

impl Handler<Letter<AskAgain>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<AskAgain>, _: &mut Self::Context) {
        let AskAgain { account, tickets } = letter.content;
        self.pass_on(account, tickets);
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

    fn handle(&mut self, letter: Letter<Depart>, _: &mut Self::Context) {
        let depart = letter.content;
        let (account, now) = (depart.account, self.surroundings.clock.now());
        let follows: Vec<UserId> = self.desk.follows(account).into_iter().collect();
        match self.desk.leave(account, &depart.device, &self.surroundings.desk, now) {
            Some(last) => self.part(depart, last),
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
