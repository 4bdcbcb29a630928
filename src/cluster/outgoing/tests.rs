//! Tests of the queue of outgoing writes, and of its reaction to events and reads.

use super::*;

fn here(text: &'static str) -> DesiredState {
    DesiredState::Here(Bytes::from_static(text.as_bytes()))
}

/// Acknowledges every write that waits.
fn acknowledge(outgoing: &OutgoingRecords, clock: Option<BucketClock>) {
    outgoing.take(100).iter().for_each(|write| assert_eq!(outgoing.written(write, clock), None));
}

fn taken(outgoing: &OutgoingRecords) -> Vec<(UserId, DesiredState)> {
    outgoing.take(10).into_iter().map(|write| (write.user, write.desired)).collect()
}

#[test]
fn only_the_latest_desired_state_waits() {
    let (outgoing, user) = (OutgoingRecords::default(), UserId::random());
    (0..1000).for_each(|_| outgoing.set(user, here("a")));
    outgoing.set(user, here("b"));
    assert_eq!(outgoing.waiting(), 1);
    assert_eq!(taken(&outgoing), [(user, here("b"))]);
    assert!(taken(&outgoing).is_empty());
}

#[test]
fn a_user_who_is_gone_is_forgotten_once_redis_knows() {
    let (outgoing, user) = (OutgoingRecords::default(), UserId::random());
    outgoing.set(user, DesiredState::Gone(Exit::LoggedOut));
    let write = outgoing.take(10).remove(0);
    outgoing.failed(&write);
    assert_eq!(outgoing.len(), 1);
    let write = outgoing.take(10).remove(0);
    outgoing.set(user, here("back"));
    outgoing.written(&write, Some(5));
    let write = outgoing.take(10).remove(0);
    assert_eq!(write.desired, here("back"), "came back meanwhile");
    outgoing.written(&write, Some(6));
    outgoing.set(user, DesiredState::Gone(Exit::Lost));
    let write = outgoing.take(10).remove(0);
    outgoing.written(&write, Some(7));
    outgoing.event_received(user, 5, b"");
    assert_eq!((outgoing.len(), outgoing.waiting()), (1, 0), "its event is to come");
    outgoing.event_received(user, 7, b"");
    assert_eq!((outgoing.len(), outgoing.waiting()), (0, 0));
    outgoing.set(user, DesiredState::Gone(Exit::Lost));
    acknowledge(&outgoing, None);
    assert_eq!(outgoing.len(), 0, "the user was gone already, so there is no event");
}

#[test]
fn an_event_that_arrives_after_later_acknowledgements_ends_no_lingering() {
    let (outgoing, user) = (OutgoingRecords::default(), UserId::random());
    outgoing.set(user, here("a"));
    acknowledge(&outgoing, Some(1));
    outgoing.set(user, DesiredState::Lingering(Bytes::from_static(b"La"), Duration::from_secs(1)));
    acknowledge(&outgoing, Some(2));
    outgoing.event_received(user, 1, b"a");
    assert_eq!((outgoing.waiting(), outgoing.value(user)), (0, None), "it is old");
    outgoing.event_received(user, 2, b"La");
    assert_eq!((outgoing.len(), outgoing.waiting()), (0, 0));
}

#[test]
fn lost_acknowledgements_of_a_lingering_record_do_not_let_its_events_end_it() {
    let (outgoing, user) = (OutgoingRecords::default(), UserId::random());
    outgoing.set(user, here("a"));
    outgoing.take(10).iter().for_each(|write| outgoing.failed(write));
    outgoing.set(user, DesiredState::Lingering(Bytes::from_static(b"La"), Duration::from_secs(1)));
    outgoing.take(10).iter().for_each(|write| outgoing.failed(write));
    // Redis has taken both and changes nothing.
    acknowledge(&outgoing, None);
    outgoing.event_received(user, 1, b"a");
    assert!(taken(&outgoing).iter().all(|(_, desired)| desired.value() == b"La"));
}

#[test]
fn a_late_write_does_not_end_lingering_either() {
    let (outgoing, user) = (OutgoingRecords::default(), UserId::random());
    let lingering = DesiredState::Lingering(Bytes::from_static(b"La"), Duration::from_secs(1));
    outgoing.set(user, here("a"));
    acknowledge(&outgoing, Some(1));
    outgoing.set(user, lingering.clone());
    acknowledge(&outgoing, Some(2));
    outgoing.event_received(user, 3, b"a");
    assert_eq!(taken(&outgoing), [(user, lingering)]);
}

#[test]
fn a_user_who_is_done_is_forgotten_in_turn_if_its_event_was_missed() {
    let outgoing = OutgoingRecords::default();
    for _ in 0..20 {
        outgoing.set(UserId::random(), here("x"));
    }
    acknowledge(&outgoing, Some(1));
    let users: Vec<UserId> = outgoing.queue.lock().users.keys().copied().collect();
    users.iter().for_each(|&user| outgoing.set(user, DesiredState::Gone(Exit::Lost)));
    acknowledge(&outgoing, Some(2));
    assert_eq!((outgoing.len(), outgoing.waiting()), (20, 0));
    (0..10).for_each(|_| outgoing.reassert(10));
    assert_eq!((outgoing.len(), outgoing.waiting()), (0, 0), "and nothing is written");
}

#[test]
fn a_lingering_record_is_left_to_redis() {
    let (outgoing, user) = (OutgoingRecords::default(), UserId::random());
    outgoing.set(user, here("a"));
    acknowledge(&outgoing, Some(1));
    outgoing.set(user, DesiredState::Lingering(Bytes::from_static(b"La"), Duration::from_secs(1)));
    acknowledge(&outgoing, Some(2));
    outgoing.event_received(user, 2, b"La");
    outgoing.event_received(user, 3, b"");
    outgoing.write_all(true);
    assert_eq!((outgoing.len(), outgoing.waiting()), (0, 0), "it would come back after its deadline");
}

#[test]
fn a_late_write_is_corrected() {
    let (outgoing, user) = (OutgoingRecords::default(), UserId::random());
    outgoing.set(user, here("new"));
    let write = outgoing.take(10).remove(0);
    outgoing.event_received(user, 4, b"old");
    outgoing.written(&write, Some(5));
    outgoing.event_received(user, 4, b"old");
    outgoing.event_received(user, 5, b"new");
    assert_eq!(outgoing.waiting(), 0, "in their order");
    outgoing.event_received(user, 6, b"old");
    assert_eq!(taken(&outgoing), [(user, here("new"))]);
    let stranger = UserId::random();
    outgoing.event_received(stranger, 7, b"");
    assert_eq!(outgoing.waiting(), 1, "that is the desired state");
    outgoing.event_received(stranger, 8, b"resurrected");
    assert_eq!(taken(&outgoing), [(stranger, DesiredState::Gone(Exit::Lost))]);
}

#[test]
fn records_that_redis_lost_by_going_back_are_written_again() {
    let outgoing = OutgoingRecords::default();
    let [here, lingers, gone] = [(); 3].map(|()| UserId::random());
    let lingering = DesiredState::Lingering(Bytes::from_static(b"La"), Duration::from_secs(1));
    let desired = [(here, self::here("a")), (lingers, lingering.clone()), (gone, DesiredState::Gone(Exit::Lost))];
    desired.iter().for_each(|(user, desired)| outgoing.set(*user, desired.clone()));
    let found = |value: &'static [u8]| desired.iter().for_each(|(user, _)| outgoing.record_read(*user, 1, value));
    found(b"old");
    acknowledge(&outgoing, Some(2));
    outgoing.record_read(here, 2, b"a");
    outgoing.record_read(lingers, 2, b"");
    outgoing.record_read(gone, 2, b"");
    assert_eq!(outgoing.waiting(), 0, "that is the desired state");
    found(b"old");
    assert_eq!(taken(&outgoing), desired);
    let stranger = UserId::random();
    outgoing.record_read(stranger, 3, b"Lold");
    assert_eq!(outgoing.waiting(), 3, "lingers there");
    outgoing.record_read(stranger, 3, b"old");
    assert_eq!(taken(&outgoing), [(stranger, DesiredState::Gone(Exit::Lost))]);
}

#[test]
fn the_records_of_a_dead_incarnation_are_reported_once_with_the_next_write() {
    let outgoing = OutgoingRecords::default();
    let [known, left, fresh] = [(); 3].map(|()| UserId::random());
    outgoing.set(known, here("a"));
    acknowledge(&outgoing, Some(1));
    outgoing.set(left, here("l"));
    acknowledge(&outgoing, Some(1));
    outgoing.set(fresh, here("b"));
    outgoing.set(left, DesiredState::Gone(Exit::Lost));
    // Written again for another reason, and not acknowledged.
    outgoing.reassert(1);
    outgoing.take(10).iter().for_each(|write| outgoing.failed(write));
    outgoing.write_all(true);
    outgoing.set(known, here("c"));
    let removed = |write: &RecordWrite| (write.user, outgoing.written(write, Some(2)));
    let removed_records: HashMap<_, _> = outgoing.take(10).iter().map(removed).collect();
    let [a, l] = ["a", "l"].map(|text| Some(Bytes::from_static(text.as_bytes())));
    assert_eq!(removed_records, HashMap::from([(known, a), (left, l), (fresh, None)]));
    outgoing.write_all(false);
    assert!(outgoing.take(10).iter().all(|write| outgoing.written(write, Some(3)).is_none()));
}

#[test]
fn every_user_is_written_again_in_turn() {
    let outgoing = OutgoingRecords::default();
    for _ in 0..25 {
        outgoing.set(UserId::random(), here("x"));
    }
    acknowledge(&outgoing, Some(1));
    let mut counts = Vec::new();
    for _ in 0..10 {
        outgoing.reassert(10);
        let writes = outgoing.take(100);
        writes.iter().for_each(|write| drop(outgoing.written(write, None)));
        counts.push(writes.len());
    }
    assert_eq!(counts, [3, 3, 3, 3, 3, 3, 3, 3, 1, 3]);
    outgoing.write_all(false);
    assert_eq!(outgoing.waiting(), 25);
}
