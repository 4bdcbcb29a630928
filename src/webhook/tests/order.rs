//! Order, delays and limits of the queue.

use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;

use super::super::queue::{Attempt, AttemptResult, DeliveryRules, OfferResult, PostOutcome, QueueAction, WebhookQueue};
use super::*;

const RULES: DeliveryRules = DeliveryRules {
    max_events: 100,
    grace: Duration::from_secs(5),
    max_parallel: 4,
    first_delay: Duration::from_secs(1),
    max_delay: Duration::from_secs(60),
    max_age: Duration::from_secs(3600),
};

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// Returns the event that the queue sends at this time. Panics when it sends none.
fn sends(queue: &mut WebhookQueue, secs: u64) -> Attempt {
    match queue.next(at(secs)) {
        QueueAction::Send(attempt) => attempt,
        other => panic!("at {secs}: {other:?}"),
    }
}

fn waits_until(queue: &mut WebhookQueue, now: u64, until: u64) {
    let action = queue.next(at(now));
    assert!(matches!(action, QueueAction::WaitUntil(time) if time == at(until)), "at {now}: {action:?}");
}

#[track_caller]
fn waits(queue: &mut WebhookQueue, secs: u64) {
    let action = queue.next(at(secs));
    assert!(matches!(action, QueueAction::Wait), "at {secs}: {action:?}");
}

/// Sends everything that the queue sends at this time, and returns the times of the changes.
fn sends_all(queue: &mut WebhookQueue, secs: u64) -> Vec<u64> {
    let mut sent = Vec::new();
    while let QueueAction::Send(attempt) = queue.next(at(secs)) {
        sent.push(attempt.event.change.at.as_secs());
        assert_eq!(queue.settle(attempt, PostOutcome::Accepted, at(secs), 1.0), AttemptResult::Sent);
    }
    sent
}

#[test]
fn events_of_one_user_are_sent_one_by_one_and_those_of_others_in_parallel() {
    let mut queue = WebhookQueue::new(RULES);
    queue.offer(event("alice", Transition::Login, 1), at(1));
    queue.offer(event("alice", Transition::Logout, 2), at(2));
    queue.offer(event("bob", Transition::Login, 3), at(3));
    let first = sends(&mut queue, 3);
    assert_eq!(sends(&mut queue, 3).event.change.at, at(3), "bob's event, while alice's first is under way");
    waits(&mut queue, 3);
    queue.settle(first, PostOutcome::Accepted, at(3), 1.0);
    assert_eq!(sends(&mut queue, 3).event.change.at, at(2));
}

#[test]
fn a_quick_reconnect_sends_nothing() {
    let mut queue = WebhookQueue::new(RULES);
    queue.offer(event("alice", LOST, 1), at(10));
    waits_until(&mut queue, 10, 15);
    assert_eq!(queue.offer(event("alice", Transition::Login, 2), at(14)), OfferResult::Undone);
    assert_eq!(queue.event_count(), 0);
    waits(&mut queue, 20);
}

#[test]
fn a_slow_reconnect_sends_both() {
    let mut queue = WebhookQueue::new(RULES);
    queue.offer(event("alice", LOST, 1), at(10));
    assert_eq!(queue.offer(event("alice", Transition::Login, 2), at(15)), OfferResult::Queued);
    assert_eq!(sends_all(&mut queue, 15), [1, 2]);
}

#[test]
fn a_login_on_another_platform_undoes_nothing_and_does_not_overtake() {
    let mut queue = WebhookQueue::new(RULES);
    let mut phone = change("alice", Transition::Login, 2);
    phone.platform = "iOS".into();
    queue.offer(event("alice", LOST, 1), at(10));
    assert_eq!(queue.offer(Arc::new(WebhookEvent { id: Uuid::nil(), change: phone }), at(11)), OfferResult::Queued);
    assert_eq!(queue.offer(event("bob", Transition::Login, 3), at(11)), OfferResult::Queued);
    assert_eq!(sends_all(&mut queue, 11), [3]);
    assert_eq!(sends_all(&mut queue, 15), [1, 2]);
}

#[test]
fn without_a_grace_period_a_loss_is_sent_at_once() {
    let mut queue = WebhookQueue::new(DeliveryRules { grace: Duration::ZERO, ..RULES });
    queue.offer(event("alice", LOST, 1), at(10));
    assert_eq!(queue.offer(event("alice", Transition::Login, 2), at(10)), OfferResult::Queued);
    assert_eq!(sends_all(&mut queue, 10), [1, 2]);
}

#[test]
fn a_full_queue_drops_the_oldest_waiting_event() {
    let mut queue = WebhookQueue::new(DeliveryRules { max_events: 3, ..RULES });
    queue.offer(event("alice", Transition::Login, 1), at(1));
    let first = sends(&mut queue, 1);
    queue.offer(event("alice", Transition::Logout, 2), at(1));
    queue.offer(event("bob", Transition::Login, 3), at(1));
    assert_eq!(queue.offer(event("cleo", Transition::Login, 4), at(1)), OfferResult::Displaced);
    assert_eq!(queue.event_count(), 3);
    queue.settle(first, PostOutcome::Accepted, at(1), 1.0);
    assert_eq!(sends_all(&mut queue, 1), [3, 4], "alice's logout was the oldest that waited");
}

#[test]
fn a_queue_full_of_events_under_way_drops_the_new_event() {
    let mut queue = WebhookQueue::new(DeliveryRules { max_events: 1, ..RULES });
    queue.offer(event("alice", Transition::Login, 1), at(1));
    let first = sends(&mut queue, 1);
    assert_eq!(queue.offer(event("bob", Transition::Login, 2), at(1)), OfferResult::Displaced);
    queue.settle(first, PostOutcome::Accepted, at(1), 1.0);
    assert_eq!(queue.event_count(), 0);
}

#[test]
fn a_failing_receiver_gets_one_event_at_a_time_with_growing_delays() {
    let mut queue = WebhookQueue::new(RULES);
    for user in ["alice", "bob", "cleo"] {
        queue.offer(event(user, Transition::Login, 1), at(100));
    }
    let mut now = 100;
    for delay in [1, 2, 4, 8, 16, 32, 60, 60] {
        let attempt = sends(&mut queue, now);
        if now > 100 {
            waits(&mut queue, now);
        }
        assert_eq!(queue.settle(attempt, PostOutcome::Failed, at(now), 1.0), AttemptResult::Waits);
        waits_until(&mut queue, now, now + delay);
        now += delay;
    }
    assert_eq!(queue.event_count(), 3);
    let attempt = sends(&mut queue, now);
    queue.settle(attempt, PostOutcome::Accepted, at(now), 1.0);
    assert_eq!(queue.failures(), 0);
    assert_eq!(sends_all(&mut queue, now + 60).len(), 2);
}

#[test]
fn the_delay_is_random_between_zero_and_its_bound() {
    for (random, until) in [(0.0, 100_000_000), (0.25, 100_250_000), (1.0, 101_000_000)] {
        let mut queue = WebhookQueue::new(RULES);
        queue.offer(event("alice", Transition::Login, 1), at(100));
        let attempt = sends(&mut queue, 100);
        queue.settle(attempt, PostOutcome::Failed, at(100), random);
        match queue.next(at(100)) {
            QueueAction::WaitUntil(time) => assert_eq!(time, Timestamp::from_micros(until)),
            QueueAction::Send(_) => assert_eq!(until, 100_000_000),
            QueueAction::Wait => panic!("nothing waits"),
        }
    }
}

#[test]
fn an_event_that_always_fails_delays_only_its_user_and_is_dropped() {
    let mut queue = WebhookQueue::new(RULES);
    queue.offer(event("alice", Transition::Login, 1), at(0));
    queue.offer(event("alice", Transition::Logout, 2), at(0));
    let (mut now, mut others) = (0, 0);
    loop {
        match queue.next(at(now)) {
            QueueAction::Send(attempt) if attempt.event.change.at == at(1) => {
                if queue.settle(attempt, PostOutcome::Failed, at(now), 1.0) == AttemptResult::Dead {
                    break;
                }
            }
            QueueAction::Send(attempt) => {
                assert_eq!(attempt.event.change.user, UserId::from_name("bob"));
                queue.settle(attempt, PostOutcome::Accepted, at(now), 1.0);
                others += 1;
            }
            QueueAction::WaitUntil(_) | QueueAction::Wait => {
                now += 1;
                queue.offer(event("bob", Transition::Login, 3), at(now));
            }
        }
    }
    assert!(now >= 3600, "dropped after {now} s");
    assert!(others > 3000, "only {others} events of bob");
    assert_eq!(sends_all(&mut queue, now + 60).first(), Some(&2), "alice's logout follows");
}

#[test]
fn a_flushed_queue_sends_everything_at_once() {
    let mut queue = WebhookQueue::new(RULES);
    queue.offer(event("alice", Transition::Login, 1), at(1));
    let attempt = sends(&mut queue, 1);
    queue.settle(attempt, PostOutcome::Failed, at(1), 1.0);
    queue.offer(event("bob", LOST, 2), at(1));
    queue.flush(at(1));
    queue.offer(event("cleo", LOST, 3), at(1));
    assert_eq!(sends_all(&mut queue, 1), [1, 2, 3]);
}

/// An input of the queue.
#[derive(Clone, Debug)]
enum QueueInput {
    Offer { user: u8, transition: Transition },
    Fail,
    Succeed,
    Send,
    Pass(u64),
}

fn input() -> impl Strategy<Value = QueueInput> {
    let transition = prop_oneof![Just(Transition::Login), Just(Transition::Logout), Just(LOST)];
    prop_oneof![
        3 => (0..4_u8, transition).prop_map(|(user, transition)| QueueInput::Offer { user, transition }),
        1 => Just(QueueInput::Fail),
        2 => Just(QueueInput::Succeed),
        3 => Just(QueueInput::Send),
        1 => (0..8_u64).prop_map(QueueInput::Pass),
    ]
}

proptest! {
    /// With any inputs, every event is sent, dropped, undone or held, at most as many are held as the limit allows, and
    /// the events of one user are sent in order, one at a time.
    #[test]
    fn every_event_is_counted_and_the_order_is_kept(inputs in prop::collection::vec(input(), 1..200), bound in 1..12_usize) {
        let mut queue = WebhookQueue::new(DeliveryRules { max_events: bound, max_age: Duration::MAX, ..RULES });
        let (mut now, mut offered, mut gone, mut sent) = (0, 0, 0, 0);
        let mut under_way: Vec<Attempt> = Vec::new();
        let mut latest: HashMap<UserId, Timestamp> = HashMap::new();
        for input in inputs {
            match input {
                QueueInput::Offer { user, transition } => {
                    offered += 1;
                    match queue.offer(event(&user.to_string(), transition, offered), at(now)) {
                        OfferResult::Queued => {}
                        OfferResult::Displaced => gone += 1,
                        OfferResult::Undone => gone += 2,
                    }
                }
                QueueInput::Send => if let QueueAction::Send(attempt) = queue.next(at(now)) {
                    let user = attempt.event.change.user;
                    prop_assert!(under_way.iter().all(|other| other.event.change.user != user), "two of one user");
                    under_way.push(attempt);
                },
                QueueInput::Succeed => if let Some(attempt) = under_way.pop() {
                    let change = &attempt.event.change;
                    let before = latest.insert(change.user, change.at);
                    prop_assert!(before < Some(change.at), "out of order");
                    queue.settle(attempt, PostOutcome::Accepted, at(now), 0.5);
                    sent += 1;
                },
                QueueInput::Fail => if let Some(attempt) = under_way.pop() {
                    queue.settle(attempt, PostOutcome::Failed, at(now), 0.5);
                },
                QueueInput::Pass(secs) => now += secs,
            }
            prop_assert!(queue.event_count() <= bound);
            prop_assert_eq!(offered, gone + sent + queue.event_count() as u64);
        }
        for attempt in under_way.drain(..) {
            queue.settle(attempt, PostOutcome::Accepted, at(now), 0.5);
        }
        let held = queue.event_count();
        prop_assert_eq!(sends_all(&mut queue, now + 1000).len(), held, "an event is never sent");
    }
}
