//! The rules of the registry, without actors.

use uuid::Uuid;

use super::*;
use crate::dialect::tencent;
use crate::metrics::Metrics;
use crate::outbox::{Opening, OutboxReceiver};
use crate::presence::id::ConnectionId;
use crate::presence::member_record::{NodeContext, RelationChange};

/// The registry and the written record of one member, "alice".
struct Fixture {
    registry: MemberRegistry,
    record: MemberRecord,
    metrics: Metrics,
}

fn names(names: &[&str]) -> Vec<MemberName> {
    names.iter().map(|name| MemberName::new(name).unwrap()).collect()
}

fn users(names: &[&str]) -> HashSet<UserId> {
    names.iter().map(|name| UserId::from_name(name)).collect()
}

fn member() -> UserId {
    UserId::from_name("alice")
}

fn now() -> Timestamp {
    Timestamp::from_secs(1000)
}

impl Fixture {
    fn new() -> Self {
        let limits =
            MemberLimits { calls: 20, window: Duration::from_secs(5), lifetime: Duration::from_secs(24 * 3600) };
        Self { registry: MemberRegistry::new(limits), record: MemberRecord::default(), metrics: Metrics::new() }
    }

    /// Registers a device before its login is written.
    fn registers(&mut self) -> Address {
        let connection = ConnectionId::from_uuid(Uuid::nil());
        let opening = Opening { connection, username: None, status: None };
        let device =
            OutboxReceiver::new(opening, tencent::protocol().as_codec(), 1 << 20, &self.metrics).address().clone();
        self.registry.register(member(), device.clone());
        device
    }

    /// Writes a login and returns its number.
    fn writes_login(&mut self) -> u64 {
        self.record.change(RelationChange::LogIn {
            now: now(),
            lifetime: self.registry.limits().lifetime,
            node_context: NodeContext::default(),
            last_seen: Timestamp::default(),
        });
        self.record.logins
    }

    /// Logs a device in.
    fn logs_in(&mut self) -> Address {
        let device = self.registers();
        let login = self.writes_login();
        assert_eq!(self.registry.login_written(member(), login), None);
        let activation = self.registry.activate(member(), &device, &self.record, Vec::new(), HashSet::new());
        assert!(activation.is_some());
        device
    }

    fn subscribes(&mut self, users: &[&str]) {
        self.record.change(RelationChange::Subscribe { names: names(users), limit: 200 });
    }

    fn leaves(&mut self, device: &Address) -> Option<EndedLogin> {
        self.registry.remove(member(), device, now())
    }
}

fn ended(login: u64) -> Option<EndedLogin> {
    Some(EndedLogin { login, subscriptions: Vec::new(), others: Vec::new() })
}

#[test]
fn the_last_device_ends_the_last_login_although_that_login_was_abandoned() {
    let mut alice = Fixture::new();
    let phone = alice.logs_in();
    let laptop = alice.registers();
    let login = alice.writes_login();
    assert_eq!(alice.registry.login_written(member(), login), None);
    assert_eq!(alice.leaves(&laptop), None, "the phone is there");
    assert_eq!(alice.leaves(&phone), ended(2));
}

#[test]
fn a_login_that_is_written_after_its_device_left_ends_at_once() {
    let mut alice = Fixture::new();
    let phone = alice.logs_in();
    let laptop = alice.registers();
    assert_eq!(alice.leaves(&phone), None, "the laptop is registered");
    assert_eq!(alice.leaves(&laptop), ended(1), "as far as is known");
    let login = alice.writes_login();
    assert_eq!(alice.registry.login_written(member(), login), ended(2));
}

#[test]
fn a_login_that_could_not_be_written_has_no_end() {
    let mut alice = Fixture::new();
    let phone = alice.logs_in();
    assert_eq!(alice.leaves(&phone), ended(1));
    let laptop = alice.registers();
    assert_eq!(alice.leaves(&laptop), None, "the end before it would be written again");
}

#[test]
fn a_device_that_read_older_subscriptions_follows_the_later_ones() {
    let mut alice = Fixture::new();
    alice.subscribes(&["bob", "carol"]);
    let _phone = alice.logs_in();
    let laptop = alice.registers();
    let read = alice.record.clone();
    alice.record.change(RelationChange::Unsubscribe(Some(vec![UserId::from_name("carol")])));
    alice.subscribes(&["dave"]);
    assert!(alice.registry.set_subscriptions(member(), &alice.record).is_some());
    let requested = users(&["alice", "bob", "carol"]);
    let activation = alice.registry.activate(member(), &laptop, &read, Vec::new(), requested).unwrap();
    assert_eq!(activation.missing, names(&["dave"]));
    assert_eq!((activation.others.added, activation.others.removed), (vec![], vec![]), "nothing for the phone");
    assert_eq!(alice.registry.followed(member()), users(&["bob", "dave"]));
}

#[test]
fn a_first_device_that_read_older_subscriptions_follows_the_later_ones() {
    let mut alice = Fixture::new();
    let laptop = alice.registers();
    alice.writes_login();
    let read = alice.record.clone();
    alice.subscribes(&["bob"]);
    assert!(alice.registry.set_subscriptions(member(), &alice.record).is_some());
    let activation = alice.registry.activate(member(), &laptop, &read, Vec::new(), users(&["alice"])).unwrap();
    assert_eq!(activation.missing, names(&["bob"]));
}

#[test]
fn friends_that_were_read_before_a_change_are_older() {
    let mut alice = Fixture::new();
    let _phone = alice.logs_in();
    let laptop = alice.registers();
    alice.registry.set_friends(member(), names(&["bob"]));
    let record = alice.record.clone();
    let activation = alice.registry.activate(member(), &laptop, &record, Vec::new(), users(&["alice"])).unwrap();
    assert_eq!((activation.missing, activation.others.removed), (names(&["bob"]), vec![]));
    let tablet = alice.registers();
    let activation = alice.registry.activate(member(), &tablet, &record, names(&["carol"]), users(&["alice", "carol"]));
    assert_eq!(activation.unwrap().others.removed, [UserId::from_name("bob")], "read after it");
}
