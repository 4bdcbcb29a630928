//! A follower that rebuilds its users' presences from what its outbox sends, however slowly it reads.

mod direct_write;
mod interleaving;
mod publications;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};

use bytestring::ByteString;
use proptest::prelude::*;
use uuid::Uuid;

use super::shared::COUNTED_BYTES;
use super::*;
use crate::metrics::Metrics;
use crate::presence::dialect::Dialect;
use crate::presence::diff::{Diff, Presence, Snapshot};
use crate::presence::id::{ConnectionId, UserId};
use crate::presence::last_seen::LastSeen;
use crate::presence::status::{StatusText, Version};
use crate::presence::time::Timestamp;
use crate::presence::user::{Event, Followed, UserPresence};

/// Encodes each join and leave as a line.
struct LineCodec;

impl Codec for LineCodec {
    fn encoding(&self) -> Encoding {
        Encoding::NakamaJson
    }

    fn diff(&self, diff: &Diff) -> Frames {
        let line = |sign, presence: &Presence| format!("{sign} {} {}\n", diff.user, line_of(presence));
        let leaves = diff.leaves.iter().map(|leave| line("-", leave));
        let text: String = leaves.chain(diff.joins.iter().map(|join| line("+", join))).collect();
        vec![Frame::text(&text)]
    }

    fn follow_reply(&self, tag: &RequestTag, snapshots: &[Snapshot]) -> Frames {
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

fn outbox(bound: usize, metrics: &Metrics) -> OutboxReceiver {
    let opening = Opening { connection: connection(200), username: None, status: None };
    OutboxReceiver::new(opening, &LineCodec, bound, metrics)
}

fn text(number: u8) -> StatusText {
    StatusText::new(&format!("status-{number}")).unwrap()
}

/// Drains the outbox and lets it rest.
fn frames(outbox: &OutboxReceiver) -> Vec<String> {
    let mut out = Vec::new();
    while outbox.drain(usize::MAX, |frame| out.push(string(frame))).more {}
    assert!(rests(outbox, Waker::noop()), "something waits that was not drained");
    out
}

/// Returns whether there is nothing to do; the session rests then.
fn rests(outbox: &OutboxReceiver, waker: &Waker) -> bool {
    outbox.poll_drain(waker, 0, drop).is_pending()
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

fn notify(address: &Address, notification: &Notification) {
    assert_ne!(
        address.notify(notification, DeliveryMode::Coalesced(Timestamp::default()), &mut DeliveryCounts::default()),
        Delivery::Gone
    );
}

/// The presences that a client rebuilds from the lines.
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
                _ => panic!("unknown line: {line}"),
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Set(u8, u8, Option<u8>),
    Follow(Vec<u8>),
    /// The next user actor answers the pending follow.
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

/// Four users as the engine runs them, and one follower with its outbox.
struct Model {
    users: Vec<UserPresence<Address>>,
    outbox: OutboxReceiver,
    client: Client,
    /// The users that have not answered the pending follow.
    asked: Vec<u8>,
    followed: Vec<u8>,
    requests: u32,
    now: u64,
}

impl Model {
    fn new(bound: usize) -> Self {
        let outbox = outbox(bound, &Metrics::new());
        let mut users: Vec<UserPresence<Address>> = (0..4).map(|number| UserPresence::new(user(number))).collect();
        for presence in &mut users {
            for number in 0..2 {
                let opening = Opening { connection: connection(number), username: None, status: None };
                let own = OutboxReceiver::new(opening, &LineCodec, 0, &Metrics::new());
                let opened = own.address().announce().expect("it has not ended");
                presence.handle(Event::Connected(opened), Timestamp::from_micros(0));
            }
        }
        Self { users, outbox, client: Client::default(), asked: vec![], followed: vec![], requests: 0, now: 1 }
    }

    fn run(&mut self, step: Step) {
        self.now += 1;
        match step {
            Step::Set(number, connection_number, status) => {
                let connection = connection(connection_number);
                self.happens(number, Event::StatusSet { connection, status: status.map(text) });
            }
            Step::Follow(users) if self.asked.is_empty() => {
                self.requests += 1;
                let ids: Vec<UserId> = users.iter().map(|&number| user(number)).collect();
                self.outbox.await_follow(self.requests, RequestTag::default(), &ids);
                self.asked = users;
            }
            Step::Answer => {
                if let Some(number) = self.asked.pop() {
                    self.answers(number);
                }
            }
            Step::Unfollow(number) if self.asked.is_empty() => {
                self.requests += 1;
                self.outbox.await_unfollow(self.requests, Vec::new(), 1);
                self.happens(number, Event::Unfollowed(self.outbox.address().clone()));
                Ticket::new(self.outbox.address().clone(), self.requests, user(number)).acknowledge();
                self.read(usize::MAX);
                self.client.0.retain(|(known, _), _| *known != user(number).to_string());
                self.followed.retain(|&followed| followed != number);
            }
            Step::Drain(budget) => self.read(budget),
            Step::Follow(_) | Step::Unfollow(_) => {}
        }
    }

    fn answers(&mut self, number: u8) {
        let ticket = Ticket::new(self.outbox.address().clone(), self.requests, user(number));
        let followed = self.happens(number, Event::Followed(self.outbox.address().clone()));
        ticket.snapshot(followed.expect("the answer to a follow is a snapshot"));
        self.followed.push(number);
    }

    fn happens(&mut self, number: u8, event: Event<Address>) -> Option<Followed> {
        let presence = &mut self.users[usize::from(number)];
        let effects = presence.handle(event, Timestamp::from_micros(self.now));
        if let Some(diff) = effects.notify {
            let notification = Notification::new(diff, std::sync::Arc::new(presence.snapshot()), presence.snapshot());
            for follower in presence.followers().iter() {
                notify(follower, &notification);
            }
        }
        effects.snapshot
    }

    fn read(&mut self, budget: usize) {
        let client = &mut self.client;
        self.outbox.drain(budget, |frame| client.reads(&string(frame)));
    }

    fn expected(&self) -> Client {
        let mut expected = Client::default();
        for &number in &self.followed {
            for presence in self.users[usize::from(number)].snapshot().presences {
                let key = (user(number).to_string(), presence.connection.to_string());
                expected.0.insert(key, presence.status.as_str().to_owned());
            }
        }
        expected
    }
}

proptest! {
    #[test]
    fn a_client_ends_at_the_latest_state_however_slowly_it_reads(
        steps in prop::collection::vec(step(), 0..150),
        bound in prop_oneof![Just(0_usize), Just(100), Just(1 << 20)],
    ) {
        let mut model = Model::new(bound);
        steps.into_iter().for_each(|step| model.run(step));
        while let Some(number) = model.asked.pop() {
            model.answers(number);
        }
        while !model.outbox.address().outbox().read(|state| state.queue.is_empty()) {
            model.read(50);
        }
        prop_assert_eq!(&model.client, &model.expected());
    }
}

#[test]
fn an_outbox_past_its_bound_folds_and_stops_growing() {
    let metrics = Metrics::new();
    let outbox = outbox(4000, &metrics);
    let mut counts = DeliveryCounts::default();
    let mut most = 0;
    for version in 1..10_000_u64 {
        let [before, after] = [version - 1, version].map(|status| Some(u8::try_from(status % 5).unwrap()));
        outbox.address().notify(
            &diff(1, version, before.filter(|_| version > 1), after),
            DeliveryMode::Coalesced(Timestamp::default()),
            &mut counts,
        );
        most = most.max(outbox.address().outbox().read(|state| state.queue.bytes()));
    }
    assert!(most < 4200, "{most} bytes waited");
    counts.record(&metrics);
    let counters = metrics.dialect(Dialect::Nakama);
    assert_eq!(counters.deliveries.get(), 9_999);
    assert!(counters.folds.get() > 9_900);
    let waiting = usize::try_from(metrics.engine().outbox_bytes.get()).unwrap();
    assert!(waiting <= most && waiting + COUNTED_BYTES > most, "{waiting} of {most} bytes counted");
    let frames = frames(&outbox);
    assert!(frames.len() < 60, "{} frames", frames.len());
    let mut client = Client::default();
    frames.iter().for_each(|frame| client.reads(frame));
    assert_eq!(client.0.values().collect::<Vec<_>>(), ["status-4"]);
    assert_eq!(metrics.engine().outbox_bytes.get(), 0);
}

#[test]
fn replies_are_never_folded() {
    let outbox = outbox(0, &Metrics::new());
    for number in 0..100 {
        outbox.reply(&[Frame::text(&number.to_string())]);
    }
    assert_eq!(frames(&outbox).len(), 100);
}

/// Counts the wakes.
#[derive(Default)]
struct Alarm(AtomicUsize);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn at_most_one_wake_is_pending_and_none_while_the_session_is_awake() {
    let outbox = outbox(1000, &Metrics::new());
    let alarm = Arc::new(Alarm::default());
    let waker = Waker::from(alarm.clone());
    let wakes = || alarm.0.load(Ordering::Relaxed);
    assert!(matches!(outbox.poll_drain(&waker, 0, drop), Poll::Ready(Drained { actor_ready: true, .. })));
    assert!(rests(&outbox, &waker));
    for version in 1..10 {
        notify(outbox.address(), &diff(1, version, None, Some(1)));
    }
    assert_eq!(wakes(), 1);
    let mut count = 0;
    assert!(outbox.poll_drain(&waker, usize::MAX, |_| count += 1).is_ready(), "it went to rest although frames wait");
    assert_eq!(count, 9);
    notify(outbox.address(), &diff(1, 10, Some(1), None));
    assert_eq!(wakes(), 1, "it was woken although it is awake");
    assert!(outbox.poll_drain(&waker, usize::MAX, drop).is_ready(), "a frame that arrived meanwhile would be stuck");
    assert!(rests(&outbox, &waker));
    notify(outbox.address(), &diff(1, 11, None, Some(1)));
    assert_eq!(wakes(), 2);
}

#[test]
fn a_diff_is_encoded_once_for_all_followers() {
    let notification = diff(1, 1, None, Some(1));
    let outboxes = [outbox(1000, &Metrics::new()), outbox(1000, &Metrics::new())];
    outboxes.iter().for_each(|outbox| notify(outbox.address(), &notification));
    let frames = outboxes.map(|outbox| {
        let mut sent = None;
        outbox.drain(usize::MAX, |frame| sent = Some(frame));
        sent.expect("one frame").wire().as_ptr()
    });
    assert_eq!(frames[0], frames[1], "the two frames do not share their bytes");
}

#[test]
fn a_lost_actor_is_reported_and_the_reply_still_completes() {
    let outbox = outbox(1000, &Metrics::new());
    outbox.await_follow(7, RequestTag(Some("x".into())), &[user(1), user(2)]);
    let snapshot = |number| Snapshot {
        user: user(number),
        version: Version::default(),
        presences: vec![],
        last_seen: LastSeen::default(),
        own: crate::presence::diff::OwnStatus::default(),
    };
    let tickets = [1, 2].map(|number| Ticket::new(outbox.address().clone(), 7, user(number)));
    let [first, second] = tickets;
    first.snapshot(Followed { snapshot: snapshot(1), again: false });
    drop(second);
    let drained = outbox.drain(usize::MAX, |frame| panic!("too early: {frame:?}"));
    assert_eq!((drained.completed, drained.abandoned), (false, vec![user(2)]));
    outbox.asked_again(1);
    Ticket::new(outbox.address().clone(), 7, user(2)).snapshot(Followed { snapshot: snapshot(2), again: false });
    let mut reply = None;
    assert!(outbox.drain(usize::MAX, |frame| reply = Some(string(frame))).completed);
    assert_eq!(reply.unwrap(), format!("reply x\n= {}\n= {}\n", user(1), user(2)));
}

#[test]
fn a_close_request_follows_everything_that_waits_and_nothing_follows_it() {
    let outbox = outbox(1000, &Metrics::new());
    notify(outbox.address(), &diff(1, 1, None, Some(1)));
    notify(outbox.address(), &diff(2, 2, None, Some(1)));
    outbox.address().close(CloseRequest::Drain);
    let mut counts = DeliveryCounts::default();
    assert_eq!(
        outbox.address().notify(&diff(1, 3, Some(1), None), DeliveryMode::Coalesced(Timestamp::default()), &mut counts),
        Delivery::Gone,
        "it was notified although it is closing"
    );
    let first = outbox.drain(1, drop);
    assert_eq!((first.more, first.close_request), (true, None));
    assert_eq!(outbox.drain(usize::MAX, drop).close_request, Some(CloseRequest::Drain));
}

#[test]
fn everything_after_the_end_is_dropped() {
    let metrics = Metrics::new();
    let outbox = outbox(1000, &metrics);
    outbox.reply(&[Frame::text(&"x".repeat(2 * COUNTED_BYTES))]);
    assert!(metrics.engine().outbox_bytes.get() > 0);
    outbox.end();
    assert_eq!(
        outbox.address().notify(
            &diff(1, 2, Some(1), None),
            DeliveryMode::Coalesced(Timestamp::default()),
            &mut DeliveryCounts::default()
        ),
        Delivery::Gone
    );
    outbox.reply(&[Frame::text("too late")]);
    assert!(outbox.address().announce().is_none());
    assert_eq!(frames(&outbox).len(), 1);
    assert_eq!(metrics.engine().outbox_bytes.get(), 0);
}

#[test]
fn the_close_frame_is_the_last_frame() {
    let outbox = outbox(0, &Metrics::new());
    notify(outbox.address(), &diff(1, 1, None, Some(1)));
    notify(outbox.address(), &diff(1, 2, Some(1), Some(2)));
    notify(outbox.address(), &diff(2, 3, None, Some(3)));
    outbox.finish(Frame::close(1000, "bye"));
    outbox.reply(&[Frame::text("too late")]);
    outbox.give_up(&[Frame::text("too late")]);
    outbox.await_status(1, vec![Frame::text("too late")]);
    Ticket::new(outbox.address().clone(), 1, user(1)).acknowledge();
    let mut last = None;
    let mut count = 0;
    while outbox
        .drain(1, |frame| {
            count += 1;
            last = Some(frame);
        })
        .more
    {}
    assert_eq!(count, 4, "everything that waited, folded or not, and the close frame");
    assert_eq!(last, Some(Frame::close(1000, "bye")));
    assert!(rests(&outbox, Waker::noop()));
}

#[test]
fn a_connection_that_is_gone_keeps_no_frames() {
    let metrics = Metrics::new();
    let outbox = outbox(1000, &metrics);
    outbox.reply(&[Frame::text(&"x".repeat(2 * COUNTED_BYTES))]);
    assert!(metrics.engine().outbox_bytes.get() > 0);
    outbox.discard();
    assert_eq!(metrics.engine().outbox_bytes.get(), 0);
    assert_eq!(frames(&outbox), Vec::<String>::new());
}
