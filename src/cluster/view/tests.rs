use uuid::Uuid;

use super::*;
use crate::cluster::NodeCommand;
use crate::presence::id::ConnectionId;
use crate::presence::status::StatusText;

/// A listener that takes as many notices as it has room for.
#[derive(Default)]
struct NoticeCounter {
    notices: Mutex<Vec<UserId>>,
    room: Mutex<usize>,
}

impl NoticeCounter {
    fn with_room(room: usize) -> Arc<Self> {
        Arc::new(Self { room: Mutex::new(room), ..Self::default() })
    }

    fn notices(&self) -> usize {
        std::mem::take(&mut *self.notices.lock()).len()
    }
}

impl Listener for NoticeCounter {
    fn changed(&self, user: UserId) -> bool {
        let mut room = self.room.lock();
        if *room == 0 {
            return false;
        }
        *room -= 1;
        self.notices.lock().push(user);
        true
    }

    fn command_received(&self, _: UserId, _: NodeCommand) -> bool {
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

fn event(clock: BucketClock, user: UserId, incarnation: u64, value: Bytes) -> BucketEvent {
    let change = RecordChange { user, incarnation: Incarnation::from(incarnation), exit: None, value };
    BucketEvent { previous: 0, clock, changes: vec![change] }
}

fn texts(remote: &Remote) -> Vec<&str> {
    remote.connections.iter().map(|connection| connection.status.as_ref().unwrap().as_str()).collect()
}

fn view(engine: &Arc<NoticeCounter>) -> (RemoteView, UserId, Bucket) {
    let buckets = Buckets::new(16);
    let user = UserId::from_uuid(Uuid::from_u128(7));
    let bucket = buckets.of(user);
    let view = RemoteView::new(buckets, engine.clone());
    assert!(view.watch(user) && !view.watch(user));
    (view, user, bucket)
}

fn stored(version: BucketClock, records: Vec<(u64, Bytes)>) -> StoredUser {
    let records = records.into_iter().map(|(number, value)| (Incarnation::from(number), value)).collect();
    StoredUser { version, records, last_exit: None }
}

#[test]
fn a_user_is_unknown_until_it_is_read_and_later_changes_stay() {
    let engine = NoticeCounter::with_room(9);
    let (view, user, bucket) = view(&engine);
    assert_eq!(view.fetch(user), None);
    view.apply(bucket, &event(5, user, 1, packed(vec![connection(1, "early")], false)));
    view.apply(bucket, &event(3, user, 2, packed(vec![connection(2, "earlier")], false)));
    assert_eq!((view.fetch(user), engine.notices()), (None, 0));
    view.load(user, stored(4, vec![(2, packed(vec![connection(2, "two")], false))]));
    assert_eq!(
        texts(&view.fetch(user).unwrap()),
        ["early", "two"],
        "an older change does not replace the state that was read"
    );
    assert_eq!(engine.notices(), 1);
}

#[test]
fn one_notice_per_user_waits_and_none_is_lost_without_room() {
    let engine = NoticeCounter::with_room(1);
    let (view, user, bucket) = view(&engine);
    view.load(user, StoredUser::default());
    for clock in 1..50 {
        view.apply(bucket, &event(clock, user, 1, packed(vec![connection(1, &clock.to_string())], false)));
    }
    assert_eq!(engine.notices(), 1);
    assert_eq!(texts(&view.fetch(user).unwrap()), ["49"]);
    view.apply(bucket, &event(50, user, 1, packed(vec![connection(1, "last")], false)));
    assert_eq!(engine.notices(), 0, "no room");
    *engine.room.lock() = 5;
    view.repeat_refused();
    assert_eq!((engine.notices(), texts(&view.fetch(user).unwrap())), (1, vec!["last"]));
    view.repeat_refused();
    assert_eq!(engine.notices(), 0);
}

#[test]
fn an_older_change_and_a_change_of_the_own_node_have_no_effect() {
    let engine = NoticeCounter::with_room(9);
    let (view, user, bucket) = view(&engine);
    view.add_own(Incarnation::from(3));
    view.load(user, stored(10, vec![(3, packed(vec![connection(3, "mine")], false))]));
    assert_eq!(texts(&view.fetch(user).unwrap()), Vec::<&str>::new());
    engine.notices();
    view.apply(bucket, &event(9, user, 1, packed(vec![connection(1, "old")], false)));
    view.apply(bucket, &event(11, user, 3, packed(vec![connection(3, "mine")], false)));
    assert_eq!(engine.notices(), 0);
    view.load(user, stored(11, vec![(3, packed(vec![connection(3, "mine")], false))]));
    assert_eq!((view.fetch(user).unwrap().version, engine.notices()), (11, 0), "the same state again");
}

#[test]
fn a_late_read_does_not_go_back_but_a_resync_does() {
    let engine = NoticeCounter::with_room(9);
    let (view, user, bucket) = view(&engine);
    view.load(user, StoredUser::default());
    view.apply(bucket, &event(6, user, 1, packed(vec![connection(1, "six")], false)));
    view.load(user, stored(5, vec![(1, packed(vec![connection(1, "five")], false))]));
    assert_eq!(texts(&view.fetch(user).unwrap()), ["six"]);
    view.begin_read(bucket);
    view.replace(user, stored(5, vec![(1, packed(vec![connection(1, "five")], false))]));
    assert_eq!(texts(&view.fetch(user).unwrap()), ["five"]);
}

#[test]
fn a_user_who_is_read_for_the_first_time_during_a_resync_does_not_go_back() {
    let engine = NoticeCounter::with_room(9);
    let (view, user, bucket) = view(&engine);
    let [five, six] = ["five", "six"].map(|text| packed(vec![connection(1, text)], false));
    assert_eq!(view.begin_read(bucket), [user]);
    // Both reads were sent. The reply to this one came later and is applied first.
    view.load(user, stored(6, vec![(1, six), (2, packed(vec![connection(2, "other")], false))]));
    assert_eq!(texts(&view.fetch(user).unwrap()), ["six", "other"]);
    view.replace(user, stored(5, vec![(1, five)]));
    assert_eq!(texts(&view.fetch(user).unwrap()), ["six", "other"]);
    view.apply(bucket, &event(7, user, 2, Bytes::new()));
    assert_eq!(texts(&view.fetch(user).unwrap()), ["six"], "no record is held as lost");
}

#[test]
fn a_connection_counts_once_and_open_ones_come_before_lingering_ones() {
    let engine = NoticeCounter::with_room(9);
    let (view, user, _) = view(&engine);
    let back = RemoteConnection { shown_as: Some(connection(1, "").id), ..connection(5, "back") };
    let records = vec![
        (1, packed(vec![connection(1, "gone"), connection(2, "waits")], true)),
        (2, packed(vec![back], false)),
        (3, packed(vec![connection(9, "old incarnation")], false)),
        (4, packed(vec![connection(9, "new incarnation")], false)),
    ];
    view.load(user, stored(1, records));
    let remote = view.fetch(user).unwrap();
    assert_eq!(texts(&remote), ["back", "waits", "new incarnation"]);
    assert_eq!(remote.lingering, [connection(2, "").id]);
}

#[test]
fn a_user_who_is_not_watched_takes_no_memory() {
    let engine = NoticeCounter::with_room(9);
    let (view, user, bucket) = view(&engine);
    assert!(view.has(user) && view.begin_read(bucket) == [user] && view.len() == 1);
    assert!(view.unwatch(user) && !view.unwatch(user) && view.is_empty());
    view.apply(bucket, &event(1, user, 1, packed(vec![connection(1, "x")], false)));
    view.load(user, StoredUser::default());
    assert_eq!((view.fetch(user), view.is_empty(), engine.notices()), (None, true, 0));
}

#[test]
fn one_event_may_have_several_changes_of_a_user() {
    let engine = NoticeCounter::with_room(9);
    let (view, user, bucket) = view(&engine);
    let here = |number, text: &str| packed(vec![connection(number, text)], false);
    view.load(user, stored(5, vec![(1, here(1, "one")), (2, here(2, "two"))]));
    let gone = |incarnation| RecordChange {
        user,
        incarnation: Incarnation::from(incarnation),
        exit: None,
        value: Bytes::new(),
    };
    let changes = vec![gone(1), gone(2), RecordChange { value: here(3, "three"), ..gone(3) }];
    let event = BucketEvent { previous: 5, clock: 6, changes };
    view.apply(bucket, &event);
    assert_eq!(texts(&view.fetch(user).unwrap()), ["three"]);
    engine.notices();
    view.apply(bucket, &event);
    assert_eq!(engine.notices(), 0, "the same event again makes no difference");
}

#[test]
fn a_record_that_redis_lost_stays_visible_until_its_node_announces_it_or_the_grace_period_ends() {
    let engine = NoticeCounter::with_room(99);
    let (view, user, bucket) = view(&engine);
    let record = || packed(vec![connection(1, "here")], false);
    view.load(user, stored(9, vec![(1, record())]));
    assert_eq!(texts(&view.fetch(user).unwrap()), ["here"]);
    view.begin_read(bucket);
    view.replace(user, StoredUser::default());
    assert_eq!(texts(&view.fetch(user).unwrap()), ["here"], "Redis was emptied");
    view.apply(bucket, &event(20, user, 2, packed(vec![connection(1, "changed")], false)));
    assert_eq!(texts(&view.fetch(user).unwrap()), ["changed"], "announced again, by another incarnation of the node");
    let mut now = Timestamp::from_secs(100);
    view.release(now);
    now = now + LOST_RECORD_GRACE;
    view.release(now);
    assert_eq!(texts(&view.fetch(user).unwrap()), ["changed"]);
    view.replace(user, StoredUser::default());
    engine.notices();
    // The subscriptions of many Redis call this often.
    (0..50).for_each(|_| view.release(now));
    view.release(now + LOST_RECORD_GRACE / 2);
    assert_eq!((texts(&view.fetch(user).unwrap()), engine.notices()), (vec!["changed"], 0));
    view.release(now + LOST_RECORD_GRACE);
    assert_eq!((texts(&view.fetch(user).unwrap()), engine.notices()), (vec![], 1), "no node announces it");
    // In the same history, a missing record has ended.
    view.replace(user, stored(30, vec![(3, record())]));
    view.fetch(user);
    view.replace(user, stored(31, vec![]));
    assert_eq!(texts(&view.fetch(user).unwrap()), Vec::<&str>::new());
}
