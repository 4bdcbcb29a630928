//! The state machine of a user against a naive reference.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

fn bob() -> UserId {
    UserId::from_name("bob")
}

fn id(number: u8) -> ConnectionId {
    ConnectionId::from_uuid(Uuid::from_u128(u128::from(number) + 1))
}

fn text(status: &str) -> Option<StatusText> {
    Some(StatusText::new(status).unwrap())
}

fn connection(number: u8, status: Option<StatusText>) -> Connection<u8> {
    Connection {
        id: id(number),
        username: Some(Username::new("bob").unwrap()),
        status,
        since: at(0),
        dialect: Dialect::Nakama,
        address: 100 + number,
    }
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// Statuses by connection, as a follower assembles them.
type View = BTreeMap<ConnectionId, StatusText>;

/// A follower that applies every diff and checks that the diffs are consistent.
#[derive(Debug, Default)]
struct Follower {
    view: View,
    version: Version,
}

impl Follower {
    fn starts_with(followed: &Followed) -> Self {
        let presences = followed.snapshot.presences.iter();
        let view = presences.map(|presence| (presence.connection, presence.status.clone())).collect();
        Self { view, version: followed.snapshot.version }
    }

    fn is_told(&mut self, diff: &Diff) {
        assert!(diff.version > self.version, "a view went backwards: {:?} after {:?}", diff.version, self.version);
        self.version = diff.version;
        for leave in &diff.leaves {
            assert_eq!(
                self.view.remove(&leave.connection),
                Some(leave.status.clone()),
                "a leave of what was not there"
            );
        }
        for join in &diff.joins {
            let before = self.view.insert(join.connection, join.status.clone());
            assert_eq!(before, None, "a join over what was there");
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Connect(u8, Option<u8>),
    Set(u8, Option<u8>),
    Disconnect(u8),
    Follow(u8),
    Unfollow(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let status = || prop::option::of(0..3_u8);
    prop_oneof![
        (0..4_u8, status()).prop_map(|(connection, status)| Step::Connect(connection, status)),
        (0..4_u8, status()).prop_map(|(connection, status)| Step::Set(connection, status)),
        (0..4_u8).prop_map(Step::Disconnect),
        (0..4_u8).prop_map(Step::Follow),
        (0..4_u8).prop_map(Step::Unfollow),
    ]
}

/// The state machine next to a naive reference: a map of statuses, and followers that apply every diff.
struct World {
    machine: UserPresence<u8>,
    truth: BTreeMap<ConnectionId, Option<StatusText>>,
    followers: BTreeMap<u8, Follower>,
    now: u64,
}

impl World {
    fn new() -> Self {
        Self { machine: UserPresence::new(bob()), truth: BTreeMap::new(), followers: BTreeMap::new(), now: 0 }
    }

    fn takes(&mut self, step: &Step) {
        let status = |number: &Option<u8>| number.and_then(|number| text(&number.to_string()));
        let event = match step {
            Step::Connect(number, to) => {
                self.truth.insert(id(*number), status(to));
                Event::Connected(connection(*number, status(to)))
            }
            Step::Set(number, to) => {
                self.truth.entry(id(*number)).and_modify(|known| *known = status(to));
                Event::StatusSet { connection: id(*number), status: status(to) }
            }
            Step::Disconnect(number) => {
                self.truth.remove(&id(*number));
                Event::Disconnected { connection: id(*number), exit: Exit::Lost, linger: None }
            }
            Step::Follow(follower) => Event::Followed(*follower),
            Step::Unfollow(follower) => {
                self.followers.remove(follower);
                Event::Unfollowed(*follower)
            }
        };
        // A clock that sometimes goes back must do no harm.
        self.now = if self.now % 7 == 6 { self.now - 5 } else { self.now + 1 };
        let effects = self.machine.handle(event, at(self.now));
        if let (Step::Follow(follower), Some(followed)) = (step, &effects.snapshot) {
            assert_eq!(followed.again, self.followers.contains_key(follower));
            self.followers.insert(*follower, Follower::starts_with(followed));
        }
        self.tell(effects);
    }

    fn tell(&mut self, effects: Effects) {
        if let Some(diff) = &effects.notify {
            self.followers.values_mut().for_each(|follower| follower.is_told(diff));
        }
        assert_eq!(effects.retire, self.truth.is_empty() && self.followers.is_empty());
        let told: BTreeSet<u8> = self.machine.followers().iter().copied().filter(|&address| address < 100).collect();
        assert_eq!(told, self.followers.keys().copied().collect());
    }

    fn visible(&self) -> View {
        self.truth.iter().filter_map(|(&id, status)| Some((id, status.clone()?))).collect()
    }
}

proptest! {
    #[test]
    fn every_view_equals_the_truth_and_never_goes_backwards(steps in prop::collection::vec(step(), 0..200)) {
        let mut world = World::new();
        for step in &steps {
            world.takes(step);
            let visible = world.visible();
            for (name, follower) in &world.followers {
                prop_assert_eq!(&follower.view, &visible, "the view of follower {}", name);
            }
            prop_assert_eq!(world.machine.general_status() == GeneralStatus::Online, !visible.is_empty());
        }
    }

    #[test]
    fn a_recovered_user_publishes_only_the_difference(steps in prop::collection::vec(step(), 0..60), lost in 0..4_u8, later in prop::option::of(0..3_u8)) {
        let mut world = World::new();
        steps.iter().for_each(|step| world.takes(step));
        let told = world.machine.snapshot();
        let followers = world.machine.followers().iter().copied().collect();
        // While the actor was dead, one connection went and every other may have set a status.
        world.truth.remove(&id(lost));
        let mut connections = Vec::new();
        for number in 0..4_u8 {
            if let Some(status) = world.truth.get_mut(&id(number)) {
                if let Some(later) = later {
                    *status = text(&later.to_string());
                }
                connections.push(connection(number, status.clone()));
            }
        }
        let (machine, effects) = UserPresence::recover(told.clone(), followers, connections, None, at(0));
        let unchanged = Follower::starts_with(&Followed { snapshot: told, again: false }).view == world.visible();
        prop_assert_eq!(effects.notify.is_none(), unchanged, "told although nothing changed, or the other way round");
        world.machine = machine;
        if let Some(diff) = &effects.notify {
            world.followers.values_mut().for_each(|follower| follower.is_told(diff));
        }
        let visible = world.visible();
        for follower in world.followers.values() {
            prop_assert_eq!(&follower.view, &visible);
        }
    }
}

#[test]
fn an_update_is_one_diff_and_the_same_text_again_is_published() {
    let mut user = UserPresence::new(bob());
    user.handle(Event::Connected(connection(0, text(""))), at(1));
    for (before, after) in [("", "hi"), ("hi", "hi")] {
        let effects = user.handle(Event::StatusSet { connection: id(0), status: text(after) }, at(2));
        let diff = effects.notify.expect("an update is told");
        assert_eq!((diff.leaves[0].status.as_str(), diff.joins[0].status.as_str()), (before, after));
    }
}

#[test]
fn clearing_an_unset_status_publishes_nothing() {
    let mut user = UserPresence::new(bob());
    user.handle(Event::Connected(connection(0, None)), at(1));
    let effects = user.handle(Event::StatusSet { connection: id(0), status: None }, at(2));
    assert_eq!(effects, Effects { snapshot: None, notify: None, retire: false });
}

#[test]
fn a_connection_follows_its_own_user_until_it_ends() {
    let mut user = UserPresence::new(bob());
    user.handle(Event::Connected(connection(0, None)), at(1));
    user.handle(Event::Connected(connection(1, text("two"))), at(2));
    assert_eq!(user.followers().len(), 2);
    let effects = user.handle(Event::Disconnected { connection: id(1), exit: Exit::Lost, linger: None }, at(3));
    assert_eq!(effects.notify.expect("a leave").leaves[0].status.as_str(), "two");
    assert_eq!(user.followers().iter().copied().collect::<Vec<_>>(), [100]);
}

#[test]
fn the_general_status_distinguishes_loss_and_logout_and_hides_the_invisible() {
    let mut user = UserPresence::new(bob());
    assert_eq!(user.general_status(), GeneralStatus::Unlogined);
    user.handle(Event::Connected(connection(0, None)), at(1));
    assert_eq!(user.general_status(), GeneralStatus::Unlogined, "invisible from the start");
    user.handle(Event::StatusSet { connection: id(0), status: text("hi") }, at(2));
    assert_eq!(user.general_status(), GeneralStatus::Online);
    user.handle(Event::StatusSet { connection: id(0), status: None }, at(3));
    assert_eq!(user.general_status(), GeneralStatus::Offline, "invisible looks like a loss");
    user.handle(Event::StatusSet { connection: id(0), status: text("hi") }, at(4));
    user.handle(Event::Disconnected { connection: id(0), exit: Exit::LoggedOut, linger: None }, at(5));
    assert_eq!(user.general_status(), GeneralStatus::Unlogined);
}

#[test]
fn activity_is_published_once_per_second_and_changes_no_connection() {
    let mut user = UserPresence::new(bob());
    user.handle(Event::Connected(connection(0, text("hi"))), at(1));
    let acts = |at| Event::Active { at, by: None, state: None };
    let told = user.handle(acts(at(20)), at(2)).notify.expect("followers are told");
    assert!(told.is_empty(), "{told:?}");
    assert_eq!(user.handle(acts(at(20) + std::time::Duration::from_millis(900)), at(2)).notify, None);
    assert!(user.handle(acts(at(21)), at(3)).notify.is_some());
    assert_eq!(user.handle(acts(at(19)), at(4)).notify, None, "a time went back");
    user.mark_online(at(22));
    let LastSeen { active, online, state } = user.snapshot().last_seen;
    assert_eq!((active, online, state), (at(21), at(22), None));
}

#[test]
fn a_state_text_is_one_change_and_is_kept() {
    let mut user = UserPresence::new(bob());
    user.handle(Event::Connected(connection(0, text(""))), at(1));
    let state = |by, state| Event::Active { at: at(7), by, state: text(state) };
    let told = user.handle(state(Some(id(0)), "dnd"), at(2)).notify.expect("followers are told");
    assert_eq!((told.joins.len(), told.leaves.len()), (1, 1), "{told:?}");
    user.handle(state(Some(id(0)), ""), at(3));
    let snapshot = user.snapshot();
    assert_eq!(Some(snapshot.presences[0].status.clone()), text(""));
    assert_eq!(snapshot.last_seen.state, text("dnd"), "an empty text says nothing");
    let told = user.handle(state(None, "busy"), at(4)).notify.expect("followers are told");
    assert!(told.is_empty(), "the server's own side shows nothing: {told:?}");
    user.handle(Event::Disconnected { connection: id(0), exit: Exit::Lost, linger: None }, at(5));
    assert_eq!((user.snapshot().last_seen.state, user.snapshot().last_seen.active), (text("busy"), at(7)));
    assert!(user.handle(Event::LastSeenDeleted, at(6)).notify.is_some_and(|told| told.is_empty()));
    assert_eq!(user.snapshot().last_seen, LastSeen::default());
    assert_eq!(user.handle(Event::LastSeenDeleted, at(7)).notify, None);
}

#[test]
fn a_stored_record_does_not_replace_newer_values() {
    let mut user = UserPresence::<u8>::new(bob());
    let record = |active, online, state| LastSeen { active: at(active), online: at(online), state: text(state) };
    let quiet = user.handle(Event::LastSeenRead(record(5, 9, "old")), at(1));
    assert_eq!((quiet.notify, user.snapshot().last_seen), (None, record(5, 9, "old")));
    user.handle(Event::Active { at: at(8), by: None, state: text("new") }, at(2));
    user.handle(Event::LastSeenRead(record(6, 10, "old")), at(3));
    assert_eq!(user.snapshot().last_seen, record(8, 10, "new"));
}

#[test]
fn the_connection_that_changed_last_is_at_the_end() {
    let mut user = UserPresence::new(bob());
    user.handle(Event::Connected(connection(0, text("phone"))), at(1));
    user.handle(Event::Connected(connection(1, text("tablet"))), at(2));
    user.handle(Event::StatusSet { connection: id(0), status: text("on the phone again") }, at(3));
    let shown: Vec<String> =
        user.snapshot().presences.iter().map(|presence| presence.status.as_str().to_owned()).collect();
    assert_eq!(shown, ["tablet", "on the phone again"]);
    assert_eq!(user.visible().count(), 2);
}
