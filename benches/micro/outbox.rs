//! A change on its way into the outboxes of its followers, and out of them.

use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use hereabouts::dialect::nakama::Format;
use hereabouts::outbox::{DeliveryCounts, DeliveryMode, Notification, OutboxReceiver};
use hereabouts::presence::time::Timestamp;

use crate::samples;

fn followers(count: u32) -> Vec<OutboxReceiver> {
    samples::outboxes(count, Format::Json.protocol().as_codec())
}

/// One change for followers that keep up: encoded once, queued in and taken out of each outbox. An item is one delivery.
#[divan::bench(args = [1, 1_000, 15_000])]
fn notify_and_drain(bencher: Bencher, count: u32) {
    let (followers, update, after) = (followers(count), samples::update(), samples::updated());
    let before = Arc::new(samples::updated());
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let notification = Notification::new(update.clone(), before.clone(), after.clone());
        let mut counts = DeliveryCounts::default();
        for follower in &followers {
            follower.address().notify(&notification, DeliveryMode::Coalesced(Timestamp::default()), &mut counts);
        }
        for follower in &followers {
            follower.drain(usize::MAX, |frame| drop(divan::black_box(frame)));
        }
        counts
    });
}

/// One change for followers that do not read: folded into the pending changes of each. An item is one delivery.
#[divan::bench(args = [1, 1_000])]
fn fold(bencher: Bencher, count: u32) {
    let followers = followers(count);
    let notification = Notification::new(samples::update(), Arc::new(samples::updated()), samples::updated());
    let mut counts = DeliveryCounts::default();
    // Well past the bound.
    for follower in &followers {
        for _ in 0..1_000 {
            follower.address().notify(&notification, DeliveryMode::Coalesced(Timestamp::default()), &mut counts);
        }
    }
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let mut counts = DeliveryCounts::default();
        for follower in &followers {
            follower.address().notify(&notification, DeliveryMode::Coalesced(Timestamp::default()), &mut counts);
        }
        counts
    });
}
