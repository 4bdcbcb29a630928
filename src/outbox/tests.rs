//! A follower who believes what comes out of its outbox, however slowly it reads.

mod at_once;
mod publish;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::metrics::Metrics;
use crate::presence::diff::{Diff, Presence, Snapshot};
use crate::presence::last_seen::LastSeen;
use crate::presence::status::Version;
use crate::presence::time::Timestamp;
use crate::presence::user::{Event, UserPresence};

/// Writes a line for each join and leave.
struct Lines;

impl Codec for Lines {
    fn encoding(&self) -> Encoding {
        Encoding::NakamaJson
    }

    fn diff(&self, diff: &Diff) -> Frames {
        let line = |sign, presence: &Presence| format!("{sign} {} {}\n", diff.user, line_of(presence));
        let leaves = diff.leaves.iter().map(|leave| line("-", leave));
        let text: String = leaves.chain(diff.joins.iter().map(|join| line("+", join))).collect();
        vec![Frame::text(&text)]
    }

    fn followed(&self, tag: &RequestTag, snapshots: &[Snapshot]) -> Frames {
        let mut text = format!("reply {}\n", tag.0.as_deref().unwrap_or_default());
        for snapshot in snapshots {
            text += &format!("= {}\n", snapshot.user);
            for presence in &snapshot.presences {
                text += &format!("+ {} {}\n", snapshot.user, line_of(presence));
            }
        }
        vec![Frame::text(&text)]
    }
}

fn line_of(presence: &Presence) -> String {
    format!("{} {}", presence.connection, presence.status.as_str())
}

fn user(number: u8) -> UserId {
    UserId::from_uuid(Uuid::from_u128(u128::from(number) + 1))
}

fn connection(number: u8) -> ConnectionId {
    ConnectionId::from_uuid(Uuid::from_u128(u128::from(number) + 1))
}

fn outbox(bound: usize, metrics: &Metrics) -> Address {
    let opening = Opening { connection: connection(200), username: None, status: None };
    Address::new(opening, &Lines, bound, metrics)
}

fn text(number: u8) -> StatusText {
    StatusText::new(&format!("status-{number}")).unwrap()
}

fn frames(address: &Address) -> Vec<String> {
    let mut out = Vec::new();
    while address.drain(usize::MAX, |frame| out.push(string(frame))).more {}
    assert!(rests(address, Waker::noop()), "something waits that was not handed out");
    out
}

/// Whether nothing is to be done; then it rests.
fn rests(address: &Address, waker: &Waker) -> bool {
    address.poll_drain(waker, 0, drop).is_pending()
}

fn string(frame: Frame) -> String {
    frame.as_text().expect("a text frame").to_owned()
}

fn diff(number: u8, version: u64, before: Option<u8>, after: Option<u8>) -> Notification {
    let presence = |status| Presence { connection: connection(number), username: None, status: text(status) };
    let version = Version::default().next(Timestamp::from_micros(version));
    let (joins, leaves): (Vec<Presence>, _) = (after.map(presence).into_iter().collect(), before.map(presence));
    let after = Snapshot {
        user: user(number),
        version,
        presences: joins.clone(),
        last_seen: LastSeen::default(),
        own: crate::presence::diff::OwnStatus::default(),
    };
    let diff = Diff { user: user(number), version, joins, leaves: leaves.into_iter().collect() };
    Notification::new(diff, std::sync::Arc::new(after.clone()), after)
}

fn told(address: &Address, notification: &Notification) {
    assert_ne!(
        address.notify(notification, DeliveryMode::Gathered(Timestamp::default()), &mut DeliveryCounts::default()),
        Delivery::Gone
    );
}

/// What a client pieces together from the lines.
#[derive(Debug, Default, PartialEq, Eq)]
struct Client(BTreeMap<(String, String), String>);

impl Client {
    fn reads(&mut self, frame: &str) {
        for line in frame.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["reply", _] | ["="] => {}
                ["=", user] => self.0.retain(|(known, _), _| known != user),
                ["+", user, connection, status] => {
                    let key = (user.to_owned(), connection.to_owned());
                    let before = self.0.insert(key, status.to_owned());
                    assert_eq!(before, None, "{line}: joined twice");
                }
                ["-", user, connection, status] => {
                    let before = self.0.remove(&(user.to_owned(), connection.to_owned()));
                    assert_eq!(before.as_deref(), Some(status), "{line}: left what was not there");
                }
                _ => panic!("not understood: {line}"),
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Set(u8, u8, Option<u8>),
    Follow(Vec<u8>),
    /// The next user actor answers the follow that waits.
    Answer,
    Unfollow(u8),
    Drain(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let users = prop::collection::btree_set(0..4_u8, 1..4).prop_map(|users| users.into_iter().collect());
    prop_oneof![
        6 => (0..4_u8, 0..2_u8, prop::option::of(0..4_u8)).prop_map(|(user, connection, status)| Step::Set(user, connection, status)),
        1 => users.prop_map(Step::Follow),
        3 => Just(Step::Answer),
        1 => (0..4_u8).prop_map(Step::Unfollow),
        1 => (1..200_usize).prop_map(Step::Drain),
    ]
}

/// Four users as the engine would run them, one follower with its outbox.
struct World {
    users: Vec<UserPresence<Address>>,
    address: Address,
    client: Client,
    /// Who has still to answer the follow under way.
    asked: Vec<u8>,
    followed: Vec<u8>,
    requests: u32,
    now: u64,
}

impl World {
    fn new(bound: usize) -> Self {
        let address = outbox(bound, &Metrics::new());
        let mut users: Vec<UserPresence<Address>> = (0..4).map(|number| UserPresence::new(user(number))).collect();
        for presence in &mut users {
            for number in 0..2 {
                let opening = Opening { connection: connection(number), username: None, status: None };
                let own = Address::new(opening, &Lines, 0, &Metrics::new());
                let opened = own.announce().expect("it has not ended");
                presence.handle(Event::Connected(opened), Timestamp::from_micros(0));
            }
        }
        Self { users, address, client: Client::default(), asked: vec![], followed: vec![], requests: 0, now: 1 }
    }

    fn takes(&mut self, step: Step) {
        self.now += 1;
        match step {
            Step::Set(number, connection_number, status) => {
                let connection = connection(connection_number);
                self.happens(number, Event::StatusSet { connection, status: status.map(text) });
            }
            Step::Follow(users) if self.asked.is_empty() => {
                self.requests += 1;
                let ids: Vec<UserId> = users.iter().map(|&number| user(number)).collect();
                self.address.await_follow(self.requests, RequestTag::default(), &ids);
                self.asked = users;
            }
            Step::Answer => {
                if let Some(number) = self.asked.pop() {
                    self.answers(number);
                }
            }
            Step::Unfollow(number) if self.asked.is_empty() => {
                self.requests += 1;
                self.address.await_unfollow(self.requests, Vec::new(), 1);
                self.happens(number, Event::Unfollowed(self.address.clone()));
                Ticket::new(self.address.clone(), self.requests, user(number)).acknowledge();
                self.read(usize::MAX);
                self.client.0.retain(|(known, _), _| *known != user(number).to_string());
                self.followed.retain(|&followed| followed != number);
            }
            Step::Drain(budget) => self.read(budget),
            Step::Follow(_) | Step::Unfollow(_) => {}
        }
    }

    fn answers(&mut self, number: u8) {
        let ticket = Ticket::new(self.address.clone(), self.requests, user(number));
        let followed = self.happens(number, Event::Followed(self.address.clone()));
        ticket.snapshot(followed.expect("a follow is answered with a snapshot"));
        self.followed.push(number);
    }

    fn happens(&mut self, number: u8, event: Event<Address>) -> Option<Followed> {
        let presence = &mut self.users[usize::from(number)];
        let effects = presence.handle(event, Timestamp::from_micros(self.now));
        if let Some(diff) = effects.notify {
            let notification = Notification::new(diff, std::sync::Arc::new(presence.snapshot()), presence.snapshot());
            for follower in presence.followers().iter() {
                told(follower, &notification);
            }
        }
        effects.snapshot
    }

    fn read(&mut self, budget: usize) {
        let client = &mut self.client;
        self.address.drain(budget, |frame| client.reads(&string(frame)));
    }

    fn truth(&self) -> Client {
        let mut truth = Client::default();
        for &number in &self.followed {
            for presence in self.users[usize::from(number)].snapshot().presences {
                let key = (user(number).to_string(), presence.connection.to_string());
                truth.0.insert(key, presence.status.as_str().to_owned());
            }
        }
        truth
    }
}

proptest! {
    #[test]
    fn however_slowly_it_reads_a_client_ends_with_the_truth(
        steps in prop::collection::vec(step(), 0..150),
        bound in prop_oneof![Just(0_usize), Just(100), Just(1 << 20)],
    ) {
        let mut world = World::new(bound);
        steps.into_iter().for_each(|step| world.takes(step));
        while let Some(number) = world.asked.pop() {
            world.answers(number);
        }
        while !world.address.state.lock().queue.is_empty() {
            world.read(50);
        }
        prop_assert_eq!(&world.client, &world.truth());
    }
}

#[test]
fn past_its_bound_an_outbox_folds_and_memory_stands_still() {
    let metrics = Metrics::new();
    let address = outbox(4000, &metrics);
    let mut counts = DeliveryCounts::default();
    let mut most = 0;
    for version in 1..10_000_u64 {
        let [before, after] = [version - 1, version].map(|status| Some(u8::try_from(status % 5).unwrap()));
        address.notify(
            &diff(1, version, before.filter(|_| version > 1), after),
            DeliveryMode::Gathered(Timestamp::default()),
            &mut counts,
        );
        most = most.max(address.state.lock().queue.bytes());
    }
    assert!(most < 4200, "{most} bytes waited");
    counts.record(&metrics);
    let counted = metrics.dialect(Dialect::Nakama);
    assert_eq!(counted.deliveries.get(), 9_999);
    assert!(counted.folds.get() > 9_900);
    let waiting = usize::try_from(metrics.engine().outbox_bytes.get()).unwrap();
    assert!(waiting <= most && waiting + COUNTED_BYTES > most, "{waiting} of {most} bytes counted");
    let frames = frames(&address);
    assert!(frames.len() < 60, "{} frames", frames.len());
    let mut client = Client::default();
    frames.iter().for_each(|frame| client.reads(frame));
    assert_eq!(client.0.values().collect::<Vec<_>>(), ["status-4"]);
    assert_eq!(metrics.engine().outbox_bytes.get(), 0);
}

#[test]
fn replies_are_never_folded() {
    let address = outbox(0, &Metrics::new());
    for number in 0..100 {
        address.reply(&[Frame::text(&number.to_string())]);
    }
    assert_eq!(frames(&address).len(), 100);
}

/// Counts how often it is woken.
#[derive(Default)]
struct Alarm(AtomicUsize);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn at_most_one_wake_is_under_way_and_none_to_who_is_awake() {
    let address = outbox(1000, &Metrics::new());
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(alarm.clone());
    let wakes = || alarm.0.load(Ordering::Relaxed);
    assert!(matches!(address.poll_drain(&waker, 0, drop), Poll::Ready(Drained { actor_ready: true, .. })));
    assert!(rests(&address, &waker));
    for version in 1..10 {
        told(&address, &diff(1, version, None, Some(1)));
    }
    assert_eq!(wakes(), 1);
    let mut count = 0;
    assert!(address.poll_drain(&waker, usize::MAX, |_| count += 1).is_ready(), "went to rest although frames wait");
    assert_eq!(count, 9);
    told(&address, &diff(1, 10, Some(1), None));
    assert_eq!(wakes(), 1, "woken while it looks by itself");
    assert!(address.poll_drain(&waker, usize::MAX, drop).is_ready(), "what came meanwhile would lie there");
    assert!(rests(&address, &waker));
    told(&address, &diff(1, 11, None, Some(1)));
    assert_eq!(wakes(), 2);
}

#[test]
fn a_diff_is_encoded_once_for_all_followers() {
    let notification = diff(1, 1, None, Some(1));
    let addresses = [outbox(1000, &Metrics::new()), outbox(1000, &Metrics::new())];
    addresses.iter().for_each(|address| told(address, &notification));
    let texts = addresses.map(|address| {
        let mut text = None;
        address.drain(usize::MAX, |frame| text = Some(frame));
        text.expect("one frame").wire().as_ptr()
    });
    assert_eq!(texts[0], texts[1], "the two frames do not share their bytes");
}

#[test]
fn a_lost_actor_is_reported_and_the_request_goes_on() {
    let address = outbox(1000, &Metrics::new());
    address.await_follow(7, RequestTag(Some("x".into())), &[user(1), user(2)]);
    let snapshot = |number| Snapshot {
        user: user(number),
        version: Version::default(),
        presences: vec![],
        last_seen: LastSeen::default(),
        own: crate::presence::diff::OwnStatus::default(),
    };
    let tickets = [1, 2].map(|number| Ticket::new(address.clone(), 7, user(number)));
    let [first, second] = tickets;
    first.snapshot(Followed { snapshot: snapshot(1), again: false });
    drop(second);
    let drained = address.drain(usize::MAX, |frame| panic!("too early: {frame:?}"));
    assert_eq!((drained.completed, drained.abandoned), (false, vec![user(2)]));
    address.asked_again(1);
    Ticket::new(address.clone(), 7, user(2)).snapshot(Followed { snapshot: snapshot(2), again: false });
    let mut reply = None;
    assert!(address.drain(usize::MAX, |frame| reply = Some(string(frame))).completed);
    assert_eq!(reply.unwrap(), format!("reply x\n= {}\n= {}\n", user(1), user(2)));
}

#[test]
fn a_farewell_comes_after_all_that_waits_and_nothing_after_it() {
    let address = outbox(1000, &Metrics::new());
    told(&address, &diff(1, 1, None, Some(1)));
    told(&address, &diff(2, 2, None, Some(1)));
    address.close(CloseRequest::Drain);
    let mut counts = DeliveryCounts::default();
    assert_eq!(
        address.notify(&diff(1, 3, Some(1), None), DeliveryMode::Gathered(Timestamp::default()), &mut counts),
        Delivery::Gone,
        "told although it is closing"
    );
    let first = address.drain(1, drop);
    assert_eq!((first.more, first.close_request), (true, None));
    assert_eq!(address.drain(usize::MAX, drop).close_request, Some(CloseRequest::Drain));
}

#[test]
fn what_comes_after_the_end_is_dropped() {
    let metrics = Metrics::new();
    let address = outbox(1000, &metrics);
    address.reply(&[Frame::text(&"x".repeat(2 * COUNTED_BYTES))]);
    assert!(metrics.engine().outbox_bytes.get() > 0);
    address.end();
    assert_eq!(
        address.notify(
            &diff(1, 2, Some(1), None),
            DeliveryMode::Gathered(Timestamp::default()),
            &mut DeliveryCounts::default()
        ),
        Delivery::Gone
    );
    address.reply(&[Frame::text("too late")]);
    assert!(address.announce().is_none());
    assert_eq!(frames(&address).len(), 1);
    assert_eq!(metrics.engine().outbox_bytes.get(), 0);
}

#[test]
fn the_close_frame_is_the_last_one_of_all() {
    let address = outbox(0, &Metrics::new());
    told(&address, &diff(1, 1, None, Some(1)));
    told(&address, &diff(1, 2, Some(1), Some(2)));
    told(&address, &diff(2, 3, None, Some(3)));
    address.finish(Frame::close(1000, "bye"));
    address.reply(&[Frame::text("too late")]);
    address.give_up(&[Frame::text("too late")]);
    address.await_status(1, vec![Frame::text("too late")]);
    Ticket::new(address.clone(), 1, user(1)).acknowledge();
    let mut last = None;
    let mut count = 0;
    while address
        .drain(1, |frame| {
            count += 1;
            last = Some(frame);
        })
        .more
    {}
    assert_eq!(count, 4, "what waited, folded or not, and the close frame");
    assert_eq!(last, Some(Frame::close(1000, "bye")));
    assert!(rests(&address, Waker::noop()));
}

#[test]
fn a_connection_that_is_gone_holds_nothing() {
    let metrics = Metrics::new();
    let address = outbox(1000, &metrics);
    address.reply(&[Frame::text(&"x".repeat(2 * COUNTED_BYTES))]);
    assert!(metrics.engine().outbox_bytes.get() > 0);
    address.discard();
    assert_eq!(metrics.engine().outbox_bytes.get(), 0);
    assert_eq!(frames(&address), Vec::<String>::new());
}
