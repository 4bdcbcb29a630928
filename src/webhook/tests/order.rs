//! The queue, driven by hand.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;

use super::super::queue::{Delivery, Offered, Queue, Rules, Settled, Step};
use super::*;

const RULES: Rules = Rules {
    bound: 100,
    grace: Duration::from_secs(5),
    parallel: 4,
    first_delay: Duration::from_secs(1),
    longest_delay: Duration::from_secs(60),
    give_up: Duration::from_secs(3600),
};

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// What is to be sent at this time, which must be something.
fn sends(queue: &mut Queue, secs: u64) -> Delivery {
    match queue.next(at(secs)) {
        Step::Send(delivery) => delivery,
        other => panic!("at {secs}: {other:?}"),
    }
}

fn waits_until(queue: &mut Queue, now: u64, until: u64) {
    let step = queue.next(at(now));
    assert!(matches!(step, Step::WaitUntil(time) if time == at(until)), "at {now}: {step:?}");
}

#[track_caller]
fn waits(queue: &mut Queue, secs: u64) {
    let step = queue.next(at(secs));
    assert!(matches!(step, Step::Wait), "at {secs}: {step:?}");
}

/// Sends everything there is at this time, and says which.
fn all_at(queue: &mut Queue, secs: u64) -> Vec<u64> {
    let mut sent = Vec::new();
    while let Step::Send(delivery) = queue.next(at(secs)) {
        sent.push(delivery.event.change.at.as_secs());
        assert_eq!(queue.settle(delivery, true, at(secs), 1.0), Settled::Sent);
    }
    sent
}

#[test]
fn the_events_of_one_user_go_one_by_one_and_those_of_others_beside_them() {
    let mut queue = Queue::new(RULES);
    queue.offer(event("alice", Transition::Login, 1), at(1));
    queue.offer(event("alice", Transition::Logout, 2), at(2));
    queue.offer(event("bob", Transition::Login, 3), at(3));
    let first = sends(&mut queue, 3);
    assert_eq!(sends(&mut queue, 3).event.change.at, at(3), "bob's, beside alice's first");
    waits(&mut queue, 3);
    queue.settle(first, true, at(3), 1.0);
    assert_eq!(sends(&mut queue, 3).event.change.at, at(2));
}

#[test]
fn a_quick_reconnect_sends_nothing() {
    let mut queue = Queue::new(RULES);
    queue.offer(event("alice", LOST, 1), at(10));
    waits_until(&mut queue, 10, 15);
    assert_eq!(queue.offer(event("alice", Transition::Login, 2), at(14)), Offered::Undone);
    assert_eq!(queue.held(), 0);
    waits(&mut queue, 20);
}

#[test]
fn a_slow_reconnect_tells_both() {
    let mut queue = Queue::new(RULES);
    queue.offer(event("alice", LOST, 1), at(10));
    assert_eq!(queue.offer(event("alice", Transition::Login, 2), at(15)), Offered::Queued);
    assert_eq!(all_at(&mut queue, 15), [1, 2]);
}

#[test]
fn a_login_elsewhere_undoes_nothing_and_does_not_overtake() {
    let mut queue = Queue::new(RULES);
    let mut phone = change("alice", Transition::Login, 2);
    phone.platform = "iOS".into();
    queue.offer(event("alice", LOST, 1), at(10));
    assert_eq!(queue.offer(Arc::new(Event { id: Uuid::nil(), change: phone }), at(11)), Offered::Queued);
    assert_eq!(queue.offer(event("bob", Transition::Login, 3), at(11)), Offered::Queued);
    assert_eq!(all_at(&mut queue, 11), [3]);
    assert_eq!(all_at(&mut queue, 15), [1, 2]);
}

#[test]
fn without_a_grace_a_loss_is_told_at_once() {
    let mut queue = Queue::new(Rules { grace: Duration::ZERO, ..RULES });
    queue.offer(event("alice", LOST, 1), at(10));
    assert_eq!(queue.offer(event("alice", Transition::Login, 2), at(10)), Offered::Queued);
    assert_eq!(all_at(&mut queue, 10), [1, 2]);
}

#[test]
fn a_full_queue_drops_the_oldest_that_waits() {
    let mut queue = Queue::new(Rules { bound: 3, ..RULES });
    queue.offer(event("alice", Transition::Login, 1), at(1));
    let away = sends(&mut queue, 1);
    queue.offer(event("alice", Transition::Logout, 2), at(1));
    queue.offer(event("bob", Transition::Login, 3), at(1));
    assert_eq!(queue.offer(event("cleo", Transition::Login, 4), at(1)), Offered::Displaced);
    assert_eq!(queue.held(), 3);
    queue.settle(away, true, at(1), 1.0);
    assert_eq!(all_at(&mut queue, 1), [3, 4], "alice's logout was the oldest that waited");
}

#[test]
fn where_everything_is_under_way_the_new_one_goes() {
    let mut queue = Queue::new(Rules { bound: 1, ..RULES });
    queue.offer(event("alice", Transition::Login, 1), at(1));
    let away = sends(&mut queue, 1);
    assert_eq!(queue.offer(event("bob", Transition::Login, 2), at(1)), Offered::Displaced);
    queue.settle(away, true, at(1), 1.0);
    assert_eq!(queue.held(), 0);
}

#[test]
fn a_failing_receiver_is_tried_ever_more_rarely_one_event_at_a_time() {
    let mut queue = Queue::new(RULES);
    for user in ["alice", "bob", "cleo"] {
        queue.offer(event(user, Transition::Login, 1), at(100));
    }
    let mut now = 100;
    for delay in [1, 2, 4, 8, 16, 32, 60, 60] {
        let delivery = sends(&mut queue, now);
        if now > 100 {
            waits(&mut queue, now);
        }
        assert_eq!(queue.settle(delivery, false, at(now), 1.0), Settled::Waits);
        waits_until(&mut queue, now, now + delay);
        now += delay;
    }
    assert_eq!(queue.held(), 3);
    let delivery = sends(&mut queue, now);
    queue.settle(delivery, true, at(now), 1.0);
    assert_eq!(queue.failures(), 0);
    assert_eq!(all_at(&mut queue, now + 60).len(), 2);
}

#[test]
fn the_delay_is_spread_from_nothing_to_its_bound() {
    for (random, until) in [(0.0, 100_000_000), (0.25, 100_250_000), (1.0, 101_000_000)] {
        let mut queue = Queue::new(RULES);
        queue.offer(event("alice", Transition::Login, 1), at(100));
        let delivery = sends(&mut queue, 100);
        queue.settle(delivery, false, at(100), random);
        match queue.next(at(100)) {
            Step::WaitUntil(time) => assert_eq!(time, Timestamp::from_micros(until)),
            Step::Send(_) => assert_eq!(until, 100_000_000),
            Step::Wait => panic!("nothing waits"),
        }
    }
}

#[test]
fn an_event_that_is_never_taken_holds_up_only_its_user_and_is_given_up() {
    let mut queue = Queue::new(RULES);
    queue.offer(event("alice", Transition::Login, 1), at(0));
    queue.offer(event("alice", Transition::Logout, 2), at(0));
    let (mut now, mut others) = (0, 0);
    loop {
        match queue.next(at(now)) {
            Step::Send(delivery) if delivery.event.change.at == at(1) => {
                if queue.settle(delivery, false, at(now), 1.0) == Settled::Dead {
                    break;
                }
            }
            Step::Send(delivery) => {
                assert_eq!(delivery.event.change.user, UserId::from_name("bob"));
                queue.settle(delivery, true, at(now), 1.0);
                others += 1;
            }
            Step::WaitUntil(_) | Step::Wait => {
                now += 1;
                queue.offer(event("bob", Transition::Login, 3), at(now));
            }
        }
    }
    assert!(now >= 3600, "given up after {now} s");
    assert!(others > 3000, "only {others} of bob's");
    assert_eq!(all_at(&mut queue, now + 60).first(), Some(&2), "alice's logout follows");
}

#[test]
fn in_a_hurry_nothing_waits() {
    let mut queue = Queue::new(RULES);
    queue.offer(event("alice", Transition::Login, 1), at(1));
    let delivery = sends(&mut queue, 1);
    queue.settle(delivery, false, at(1), 1.0);
    queue.offer(event("bob", LOST, 2), at(1));
    queue.hurry(at(1));
    queue.offer(event("cleo", LOST, 3), at(1));
    assert_eq!(all_at(&mut queue, 1), [1, 2, 3]);
}

/// One thing that happens to a queue.
#[derive(Clone, Debug)]
enum Happening {
    Offer { user: u8, transition: Transition },
    Fail,
    Succeed,
    Send,
    Pass(u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let transition = prop_oneof![Just(Transition::Login), Just(Transition::Logout), Just(LOST)];
    prop_oneof![
        3 => (0..4_u8, transition).prop_map(|(user, transition)| Happening::Offer { user, transition }),
        1 => Just(Happening::Fail),
        2 => Just(Happening::Succeed),
        3 => Just(Happening::Send),
        1 => (0..8_u64).prop_map(Happening::Pass),
    ]
}

proptest! {
    /// Whatever happens, every event is sent, dropped, undone or held, never more than the bound of them, and those of
    /// one user are sent in order, one at a time.
    #[test]
    fn nothing_is_lost_uncounted_and_order_is_kept(happenings in prop::collection::vec(happening(), 1..200), bound in 1..12_usize) {
        let mut queue = Queue::new(Rules { bound, give_up: Duration::MAX, ..RULES });
        let (mut now, mut offered, mut gone, mut sent) = (0, 0, 0, 0);
        let mut under_way: Vec<Delivery> = Vec::new();
        let mut latest: HashMap<UserId, Timestamp> = HashMap::new();
        for happening in happenings {
            match happening {
                Happening::Offer { user, transition } => {
                    offered += 1;
                    match queue.offer(event(&user.to_string(), transition, offered), at(now)) {
                        Offered::Queued => {}
                        Offered::Displaced => gone += 1,
                        Offered::Undone => gone += 2,
                    }
                }
                Happening::Send => if let Step::Send(delivery) = queue.next(at(now)) {
                    let user = delivery.event.change.user;
                    prop_assert!(under_way.iter().all(|other| other.event.change.user != user), "two of one user");
                    under_way.push(delivery);
                },
                Happening::Succeed => if let Some(delivery) = under_way.pop() {
                    let change = &delivery.event.change;
                    let before = latest.insert(change.user, change.at);
                    prop_assert!(before < Some(change.at), "out of order");
                    queue.settle(delivery, true, at(now), 0.5);
                    sent += 1;
                },
                Happening::Fail => if let Some(delivery) = under_way.pop() {
                    queue.settle(delivery, false, at(now), 0.5);
                },
                Happening::Pass(secs) => now += secs,
            }
            prop_assert!(queue.held() <= bound);
            prop_assert_eq!(offered, gone + sent + queue.held() as u64);
        }
        for delivery in under_way.drain(..) {
            queue.settle(delivery, true, at(now), 0.5);
        }
        let held = queue.held();
        prop_assert_eq!(all_at(&mut queue, now + 1000).len(), held, "something is never sent");
    }
}
