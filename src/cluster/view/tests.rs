use uuid::Uuid;

use super::*;
use crate::cluster::NodeCommand;
use crate::presence::id::ConnectionId;
use crate::presence::status::StatusText;

/// An engine that takes as many notices as it has room for.
#[derive(Default)]
struct Engine {
    told: Mutex<Vec<UserId>>,
    room: Mutex<usize>,
}

impl Engine {
    fn with_room(room: usize) -> Arc<Self> {
        Arc::new(Self { room: Mutex::new(room), ..Self::default() })
    }

    fn told(&self) -> usize {
        std::mem::take(&mut *self.told.lock()).len()
    }
}

impl Listener for Engine {
    fn changed(&self, user: UserId) -> bool {
        let mut room = self.room.lock();
        if *room == 0 {
            return false;
        }
        *room -= 1;
        self.told.lock().push(user);
        true
    }

    fn ordered(&self, _: UserId, _: NodeCommand) -> bool {
        true
    }

    fn lost(&self, _: UserId, _: Vec<RemoteConnection>) {}

    fn returned(&self, _: UserId, _: Vec<RemoteConnection>) {}

    fn missed(&self) {}
}

fn connection(number: u128, status: &str) -> RemoteConnection {
    RemoteConnection {
        id: ConnectionId::from_uuid(Uuid::from_u128(number)),
        shown_as: None,
        username: None,
        status: Some(StatusText::new(status).unwrap()),
        since: Timestamp::default(),
        dialect: None,
        info: None,
    }
}

fn packed(connections: Vec<RemoteConnection>, lingering: bool) -> Bytes {
    Record { connections, lingering, ..Record::default() }.encode().into()
}

fn event(clock: BucketClock, user: UserId, incarnation: u64, value: Bytes) -> Event {
    let change = Change { user, incarnation: Incarnation::from(incarnation), exit: None, value };
    Event { previous: 0, clock, changes: vec![change] }
}

fn texts(remote: &Remote) -> Vec<&str> {
    remote.connections.iter().map(|connection| connection.status.as_ref().unwrap().as_str()).collect()
}

fn table(engine: &Arc<Engine>) -> (Table, UserId, Bucket) {
    let buckets = Buckets::new(16);
    let user = UserId::from_uuid(Uuid::from_u128(7));
    let bucket = buckets.of(user);
    let table = Table::new(buckets, engine.clone());
    assert!(table.watch(user) && !table.watch(user));
    (table, user, bucket)
}

fn stored(version: BucketClock, records: Vec<(u64, Bytes)>) -> Stored {
    let records = records.into_iter().map(|(number, value)| (Incarnation::from(number), value)).collect();
    Stored { version, records, last_exit: None }
}

#[test]
fn a_user_is_unknown_until_it_is_read_and_later_changes_hold() {
    let engine = Engine::with_room(9);
    let (table, user, bucket) = table(&engine);
    assert_eq!(table.fetch(user), None);
    table.apply(bucket, &event(5, user, 1, packed(vec![connection(1, "early")], false)));
    table.apply(bucket, &event(3, user, 2, packed(vec![connection(2, "earlier")], false)));
    assert_eq!((table.fetch(user), engine.told()), (None, 0));
    table.load(user, stored(4, vec![(2, packed(vec![connection(2, "two")], false))]));
    assert_eq!(texts(&table.fetch(user).unwrap()), ["early", "two"], "what is older than what was read came after it");
    assert_eq!(engine.told(), 1);
}

#[test]
fn one_notice_a_user_waits_and_none_is_lost_when_there_is_no_room() {
    let engine = Engine::with_room(1);
    let (table, user, bucket) = table(&engine);
    table.load(user, Stored::default());
    for clock in 1..50 {
        table.apply(bucket, &event(clock, user, 1, packed(vec![connection(1, &clock.to_string())], false)));
    }
    assert_eq!(engine.told(), 1);
    assert_eq!(texts(&table.fetch(user).unwrap()), ["49"]);
    table.apply(bucket, &event(50, user, 1, packed(vec![connection(1, "last")], false)));
    assert_eq!(engine.told(), 0, "no room");
    *engine.room.lock() = 5;
    table.tell_refused();
    assert_eq!((engine.told(), texts(&table.fetch(user).unwrap())), (1, vec!["last"]));
    table.tell_refused();
    assert_eq!(engine.told(), 0);
}

#[test]
fn an_older_change_and_ones_own_change_nothing() {
    let engine = Engine::with_room(9);
    let (table, user, bucket) = table(&engine);
    table.add_own(Incarnation::from(3));
    table.load(user, stored(10, vec![(3, packed(vec![connection(3, "mine")], false))]));
    assert_eq!(texts(&table.fetch(user).unwrap()), Vec::<&str>::new());
    engine.told();
    table.apply(bucket, &event(9, user, 1, packed(vec![connection(1, "old")], false)));
    table.apply(bucket, &event(11, user, 3, packed(vec![connection(3, "mine")], false)));
    assert_eq!(engine.told(), 0);
    table.load(user, stored(11, vec![(3, packed(vec![connection(3, "mine")], false))]));
    assert_eq!((table.fetch(user).unwrap().version, engine.told()), (11, 0), "read again, nothing is different");
}

#[test]
fn what_is_read_late_does_not_go_back_but_a_resync_does() {
    let engine = Engine::with_room(9);
    let (table, user, bucket) = table(&engine);
    table.load(user, Stored::default());
    table.apply(bucket, &event(6, user, 1, packed(vec![connection(1, "six")], false)));
    table.load(user, stored(5, vec![(1, packed(vec![connection(1, "five")], false))]));
    assert_eq!(texts(&table.fetch(user).unwrap()), ["six"]);
    table.begin_read(bucket);
    table.replace(user, stored(5, vec![(1, packed(vec![connection(1, "five")], false))]));
    assert_eq!(texts(&table.fetch(user).unwrap()), ["five"]);
}

#[test]
fn whoever_is_read_for_the_first_time_during_a_resync_does_not_go_back() {
    let engine = Engine::with_room(9);
    let (table, user, bucket) = table(&engine);
    let [five, six] = ["five", "six"].map(|text| packed(vec![connection(1, text)], false));
    assert_eq!(table.begin_read(bucket), [user]);
    // Both were asked for; this was answered later, and is taken in first.
    table.load(user, stored(6, vec![(1, six), (2, packed(vec![connection(2, "other")], false))]));
    assert_eq!(texts(&table.fetch(user).unwrap()), ["six", "other"]);
    table.replace(user, stored(5, vec![(1, five)]));
    assert_eq!(texts(&table.fetch(user).unwrap()), ["six", "other"]);
    table.apply(bucket, &event(7, user, 2, Bytes::new()));
    assert_eq!(texts(&table.fetch(user).unwrap()), ["six"], "nothing is held for lost");
}

#[test]
fn a_connection_counts_once_and_who_is_there_before_who_lingers() {
    let engine = Engine::with_room(9);
    let (table, user, _) = table(&engine);
    let back = RemoteConnection { shown_as: Some(connection(1, "").id), ..connection(5, "back") };
    let records = vec![
        (1, packed(vec![connection(1, "gone"), connection(2, "waits")], true)),
        (2, packed(vec![back], false)),
        (3, packed(vec![connection(9, "old life")], false)),
        (4, packed(vec![connection(9, "new life")], false)),
    ];
    table.load(user, stored(1, records));
    let remote = table.fetch(user).unwrap();
    assert_eq!(texts(&remote), ["back", "waits", "new life"]);
    assert_eq!(remote.lingering, [connection(2, "").id]);
}

#[test]
fn who_is_not_watched_takes_no_room() {
    let engine = Engine::with_room(9);
    let (table, user, bucket) = table(&engine);
    assert!(table.has(user) && table.begin_read(bucket) == [user] && table.len() == 1);
    assert!(table.unwatch(user) && !table.unwatch(user) && table.is_empty());
    table.apply(bucket, &event(1, user, 1, packed(vec![connection(1, "x")], false)));
    table.load(user, Stored::default());
    assert_eq!((table.fetch(user), table.is_empty(), engine.told()), (None, true, 0));
}

#[test]
fn an_event_has_several_changes_of_a_user() {
    let engine = Engine::with_room(9);
    let (table, user, bucket) = table(&engine);
    let here = |number, text: &str| packed(vec![connection(number, text)], false);
    table.load(user, stored(5, vec![(1, here(1, "one")), (2, here(2, "two"))]));
    let gone =
        |incarnation| Change { user, incarnation: Incarnation::from(incarnation), exit: None, value: Bytes::new() };
    let changes = vec![gone(1), gone(2), Change { value: here(3, "three"), ..gone(3) }];
    let event = Event { previous: 5, clock: 6, changes };
    table.apply(bucket, &event);
    assert_eq!(texts(&table.fetch(user).unwrap()), ["three"]);
    engine.told();
    table.apply(bucket, &event);
    assert_eq!(engine.told(), 0, "the same again makes no difference");
}

#[test]
fn what_redis_lost_is_shown_until_its_node_has_told_of_it_again_or_should_have() {
    let engine = Engine::with_room(99);
    let (table, user, bucket) = table(&engine);
    let record = || packed(vec![connection(1, "here")], false);
    table.load(user, stored(9, vec![(1, record())]));
    assert_eq!(texts(&table.fetch(user).unwrap()), ["here"]);
    table.begin_read(bucket);
    table.replace(user, Stored::default());
    assert_eq!(texts(&table.fetch(user).unwrap()), ["here"], "Redis was emptied");
    table.apply(bucket, &event(20, user, 2, packed(vec![connection(1, "changed")], false)));
    assert_eq!(texts(&table.fetch(user).unwrap()), ["changed"], "told again, by another life of the node");
    let mut now = Timestamp::from_secs(100);
    table.release(now);
    now = now + HELD;
    table.release(now);
    assert_eq!(texts(&table.fetch(user).unwrap()), ["changed"]);
    table.replace(user, Stored::default());
    engine.told();
    // However often, by the subscriptions of many Redis.
    (0..50).for_each(|_| table.release(now));
    table.release(now + HELD / 2);
    assert_eq!((texts(&table.fetch(user).unwrap()), engine.told()), (vec!["changed"], 0));
    table.release(now + HELD);
    assert_eq!((texts(&table.fetch(user).unwrap()), engine.told()), (vec![], 1), "nobody tells of it");
    // Where the history goes on, what is missing has gone.
    table.replace(user, stored(30, vec![(3, record())]));
    table.fetch(user);
    table.replace(user, stored(31, vec![]));
    assert_eq!(texts(&table.fetch(user).unwrap()), Vec::<&str>::new());
}
