//! What a desk knows of its accounts, without actors.

use super::*;
use crate::engine::member_registry::{Last, MemberRegistry};
use crate::presence::member_name::MemberName;
use crate::presence::member_record::{MemberRecord, NodeContext, RelationChange};

struct Book {
    registry: MemberRegistry,
    rules: MemberLimits,
    standing: MemberRecord,
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

impl Book {
    fn new() -> Self {
        let clock = Clock::manual(now());
        let rules = Ports::open(LastSeenRecorder::new(None, Duration::from_secs(27), &clock)).registry;
        Self { registry: MemberRegistry::default(), rules, standing: MemberRecord::default(), metrics: Metrics::new() }
    }

    /// A device at the desk, whose login is on its way into the store.
    fn arrives(&mut self) -> Address {
        let connection = ConnectionId::from_uuid(Uuid::nil());
        let opening = Opening { connection, username: None, status: None };
        let device = Address::new(opening, &Words, 1 << 20, &self.metrics);
        self.registry.arrive(member(), device.clone(), &self.rules);
        device
    }

    /// The number of a login that is written down.
    fn writes(&mut self) -> u64 {
        self.standing.change(RelationChange::Arrive {
            now: now(),
            lifetime: self.rules.lifetime,
            node_context: NodeContext::default(),
            last_seen: Timestamp::default(),
        });
        self.standing.logins
    }

    /// A device whose login is through.
    fn enters(&mut self) -> Address {
        let device = self.arrives();
        let login = self.writes();
        assert_eq!(self.registry.arrived(member(), login), None);
        let entrance = self.registry.enter(member(), &device, &self.standing, Vec::new(), HashSet::new());
        assert!(entrance.is_some());
        device
    }

    fn subscribes(&mut self, users: &[&str]) {
        self.standing.change(RelationChange::Subscribe { names: names(users), limit: 200 });
    }

    fn leaves(&mut self, device: &Address) -> Option<Last> {
        self.registry.leave(member(), device, &self.rules, now())
    }
}

fn last(login: u64) -> Option<Last> {
    Some(Last { login, subscriptions: Vec::new(), others: Vec::new() })
}

#[test]
fn the_last_device_ends_the_last_login_also_when_that_one_was_given_up() {
    let mut book = Book::new();
    let phone = book.enters();
    let laptop = book.arrives();
    let login = book.writes();
    assert_eq!(book.registry.arrived(member(), login), None);
    assert_eq!(book.leaves(&laptop), None, "the phone is there");
    assert_eq!(book.leaves(&phone), last(2));
}

#[test]
fn a_login_that_is_written_down_after_its_device_went_ends_then() {
    let mut book = Book::new();
    let phone = book.enters();
    let laptop = book.arrives();
    assert_eq!(book.leaves(&phone), None, "the laptop may come");
    assert_eq!(book.leaves(&laptop), last(1), "as far as is known");
    let login = book.writes();
    assert_eq!(book.registry.arrived(member(), login), last(2));
}

#[test]
fn a_login_that_could_not_be_written_down_has_no_end() {
    let mut book = Book::new();
    let phone = book.enters();
    assert_eq!(book.leaves(&phone), last(1));
    let laptop = book.arrives();
    assert_eq!(book.leaves(&laptop), None, "the end before it would be written down anew");
}

#[test]
fn a_device_that_read_an_older_list_follows_the_later_one() {
    let mut book = Book::new();
    book.subscribes(&["bob", "carol"]);
    let _phone = book.enters();
    let laptop = book.arrives();
    let read = book.standing.clone();
    book.standing.change(RelationChange::Unsubscribe(Some(vec![UserId::from_name("carol")])));
    book.subscribes(&["dave"]);
    assert!(book.registry.relist(member(), &book.standing).is_some());
    let asked = users(&["alice", "bob", "carol"]);
    let entrance = book.registry.enter(member(), &laptop, &read, Vec::new(), asked).unwrap();
    assert_eq!(entrance.missing, names(&["dave"]));
    assert_eq!((entrance.others.added, entrance.others.removed), (vec![], vec![]), "nothing for the phone");
    assert_eq!(book.registry.follows(member()), users(&["bob", "dave"]));
}

#[test]
fn a_change_of_the_list_is_known_to_a_first_device_that_read_it_before() {
    let mut book = Book::new();
    let laptop = book.arrives();
    book.writes();
    let read = book.standing.clone();
    book.subscribes(&["bob"]);
    assert!(book.registry.relist(member(), &book.standing).is_some());
    let entrance = book.registry.enter(member(), &laptop, &read, Vec::new(), users(&["alice"])).unwrap();
    assert_eq!(entrance.missing, names(&["bob"]));
}

#[test]
fn friends_that_were_read_before_word_of_others_came_are_older() {
    let mut book = Book::new();
    let _phone = book.enters();
    let laptop = book.arrives();
    book.registry.befriend(member(), names(&["bob"]));
    let standing = book.standing.clone();
    let entrance = book.registry.enter(member(), &laptop, &standing, Vec::new(), users(&["alice"])).unwrap();
    assert_eq!((entrance.missing, entrance.others.removed), (names(&["bob"]), vec![]));
    let tablet = book.arrives();
    let entrance = book.registry.enter(member(), &tablet, &standing, names(&["carol"]), users(&["alice", "carol"]));
    assert_eq!(entrance.unwrap().others.removed, [UserId::from_name("bob")], "read after it");
}
