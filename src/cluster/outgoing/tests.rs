//! What waits to be written, and what is made of what Redis says.

use super::*;

fn here(text: &'static str) -> DesiredState {
    DesiredState::Here(Bytes::from_static(text.as_bytes()))
}

/// Redis takes what waits.
fn acknowledge(local: &Outgoing, clock: Option<BucketClock>) {
    local.take(100).iter().for_each(|write| assert_eq!(local.written(write, clock), None));
}

fn taken(local: &Outgoing) -> Vec<(UserId, DesiredState)> {
    local.take(10).into_iter().map(|write| (write.user, write.desired)).collect()
}

#[test]
fn only_the_latest_wish_waits() {
    let (local, user) = (Outgoing::default(), UserId::random());
    (0..1000).for_each(|_| local.desired(user, here("a")));
    local.desired(user, here("b"));
    assert_eq!(local.waiting(), 1);
    assert_eq!(taken(&local), [(user, here("b"))]);
    assert!(taken(&local).is_empty());
}

#[test]
fn who_is_gone_is_forgotten_once_redis_knows() {
    let (local, user) = (Outgoing::default(), UserId::random());
    local.desired(user, DesiredState::Gone(Exit::LoggedOut));
    let write = local.take(10).remove(0);
    local.failed(&write);
    assert_eq!(local.len(), 1);
    let write = local.take(10).remove(0);
    local.desired(user, here("back"));
    local.written(&write, Some(5));
    let write = local.take(10).remove(0);
    assert_eq!(write.desired, here("back"), "came back meanwhile");
    local.written(&write, Some(6));
    local.desired(user, DesiredState::Gone(Exit::Lost));
    let write = local.take(10).remove(0);
    local.written(&write, Some(7));
    local.echo(user, 5, b"");
    assert_eq!((local.len(), local.waiting()), (1, 0), "its event is to come");
    local.echo(user, 7, b"");
    assert_eq!((local.len(), local.waiting()), (0, 0));
    local.desired(user, DesiredState::Gone(Exit::Lost));
    acknowledge(&local, None);
    assert_eq!(local.len(), 0, "was gone already: there is no event");
}

#[test]
fn an_event_that_comes_after_later_answers_ends_nobodys_lingering() {
    let (local, user) = (Outgoing::default(), UserId::random());
    local.desired(user, here("a"));
    acknowledge(&local, Some(1));
    local.desired(user, DesiredState::Lingering(Bytes::from_static(b"La"), Duration::from_secs(1)));
    acknowledge(&local, Some(2));
    local.echo(user, 1, b"a");
    assert_eq!((local.waiting(), local.value(user)), (0, None), "it is old");
    local.echo(user, 2, b"La");
    assert_eq!((local.len(), local.waiting()), (0, 0));
}

#[test]
fn lingering_whose_answers_were_lost_is_not_ended_by_its_own_events() {
    let (local, user) = (Outgoing::default(), UserId::random());
    local.desired(user, here("a"));
    local.take(10).iter().for_each(|write| local.failed(write));
    local.desired(user, DesiredState::Lingering(Bytes::from_static(b"La"), Duration::from_secs(1)));
    local.take(10).iter().for_each(|write| local.failed(write));
    // Redis has taken both, and has nothing to change.
    acknowledge(&local, None);
    local.echo(user, 1, b"a");
    assert!(taken(&local).iter().all(|(_, desired)| desired.value() == b"La"));
}

#[test]
fn a_write_that_came_late_does_not_end_lingering_either() {
    let (local, user) = (Outgoing::default(), UserId::random());
    let lingering = DesiredState::Lingering(Bytes::from_static(b"La"), Duration::from_secs(1));
    local.desired(user, here("a"));
    acknowledge(&local, Some(1));
    local.desired(user, lingering.clone());
    acknowledge(&local, Some(2));
    local.echo(user, 3, b"a");
    assert_eq!(taken(&local), [(user, lingering)]);
}

#[test]
fn who_is_done_and_was_never_heard_of_is_forgotten_in_turn() {
    let local = Outgoing::default();
    for _ in 0..20 {
        local.desired(UserId::random(), here("x"));
    }
    acknowledge(&local, Some(1));
    let users: Vec<UserId> = local.inner.lock().entries.keys().copied().collect();
    users.iter().for_each(|&user| local.desired(user, DesiredState::Gone(Exit::Lost)));
    acknowledge(&local, Some(2));
    assert_eq!((local.len(), local.waiting()), (20, 0));
    (0..10).for_each(|_| local.reassert(10));
    assert_eq!((local.len(), local.waiting()), (0, 0), "and nothing is written");
}

#[test]
fn who_lingers_is_left_to_redis() {
    let (local, user) = (Outgoing::default(), UserId::random());
    local.desired(user, here("a"));
    acknowledge(&local, Some(1));
    local.desired(user, DesiredState::Lingering(Bytes::from_static(b"La"), Duration::from_secs(1)));
    acknowledge(&local, Some(2));
    local.echo(user, 2, b"La");
    local.echo(user, 3, b"");
    local.write_all(true);
    assert_eq!((local.len(), local.waiting()), (0, 0), "it would come back after its deadline");
}

#[test]
fn a_write_that_came_late_is_made_good() {
    let (local, user) = (Outgoing::default(), UserId::random());
    local.desired(user, here("new"));
    let write = local.take(10).remove(0);
    local.echo(user, 4, b"old");
    local.written(&write, Some(5));
    local.echo(user, 4, b"old");
    local.echo(user, 5, b"new");
    assert_eq!(local.waiting(), 0, "in their order");
    local.echo(user, 6, b"old");
    assert_eq!(taken(&local), [(user, here("new"))]);
    let stranger = UserId::random();
    local.echo(stranger, 7, b"");
    assert_eq!(local.waiting(), 1, "that is as it should be");
    local.echo(stranger, 8, b"resurrected");
    assert_eq!(taken(&local), [(stranger, DesiredState::Gone(Exit::Lost))]);
}

#[test]
fn what_a_redis_that_went_back_does_not_have_is_written_again() {
    let local = Outgoing::default();
    let [here, lingers, gone] = [(); 3].map(|()| UserId::random());
    let lingering = DesiredState::Lingering(Bytes::from_static(b"La"), Duration::from_secs(1));
    let wishes = [(here, self::here("a")), (lingers, lingering.clone()), (gone, DesiredState::Gone(Exit::Lost))];
    wishes.iter().for_each(|(user, desired)| local.desired(*user, desired.clone()));
    let found = |value: &'static [u8]| wishes.iter().for_each(|(user, _)| local.found(*user, 1, value));
    found(b"old");
    acknowledge(&local, Some(2));
    local.found(here, 2, b"a");
    local.found(lingers, 2, b"");
    local.found(gone, 2, b"");
    assert_eq!(local.waiting(), 0, "that is as it should be");
    found(b"old");
    assert_eq!(taken(&local), wishes);
    let stranger = UserId::random();
    local.found(stranger, 3, b"Lold");
    assert_eq!(local.waiting(), 3, "lingers there");
    local.found(stranger, 3, b"old");
    assert_eq!(taken(&local), [(stranger, DesiredState::Gone(Exit::Lost))]);
}

#[test]
fn what_a_dead_life_had_is_told_once_with_the_write_that_follows() {
    let local = Outgoing::default();
    let [known, left, fresh] = [(); 3].map(|()| UserId::random());
    local.desired(known, here("a"));
    acknowledge(&local, Some(1));
    local.desired(left, here("l"));
    acknowledge(&local, Some(1));
    local.desired(fresh, here("b"));
    local.desired(left, DesiredState::Gone(Exit::Lost));
    // Written again for another reason, and not acknowledged.
    local.reassert(1);
    local.take(10).iter().for_each(|write| local.failed(write));
    local.write_all(true);
    local.desired(known, here("c"));
    let stood = |write: &Write| (write.user, local.written(write, Some(2)));
    let told: HashMap<_, _> = local.take(10).iter().map(stood).collect();
    let [a, l] = ["a", "l"].map(|text| Some(Bytes::from_static(text.as_bytes())));
    assert_eq!(told, HashMap::from([(known, a), (left, l), (fresh, None)]));
    local.write_all(false);
    assert!(local.take(10).iter().all(|write| local.written(write, Some(3)).is_none()));
}

#[test]
fn everybody_is_written_again_in_turn() {
    let local = Outgoing::default();
    for _ in 0..25 {
        local.desired(UserId::random(), here("x"));
    }
    acknowledge(&local, Some(1));
    let mut counts = Vec::new();
    for _ in 0..10 {
        local.reassert(10);
        let writes = local.take(100);
        writes.iter().for_each(|write| drop(local.written(write, None)));
        counts.push(writes.len());
    }
    assert_eq!(counts, [3, 3, 3, 3, 3, 3, 3, 3, 1, 3]);
    local.write_all(false);
    assert_eq!(local.waiting(), 25);
}
