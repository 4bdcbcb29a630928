//! A change on its way to its followers, and out of their outboxes.

use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use hereabouts::dialect::nakama::Format;
use hereabouts::outbox::{Address, Notification, Pace, Tally};
use hereabouts::presence::time::Timestamp;

use crate::samples;

fn followers(count: u32) -> Vec<Address> {
    samples::outboxes(count, Format::Json.protocol().as_codec())
}

/// One change to many who keep up: encoded once, queued and taken out of each outbox. An item is one delivery.
#[divan::bench(args = [1, 1_000, 15_000])]
fn tell_and_drain(bencher: Bencher, count: u32) {
    let (followers, update, after) = (followers(count), samples::update(), samples::updated());
    let before = Arc::new(samples::updated());
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let notification = Notification::new(update.clone(), before.clone(), after.clone());
        let mut tally = Tally::default();
        for follower in &followers {
            follower.notify(&notification, Pace::Gathered(Timestamp::default()), &mut tally);
        }
        for follower in &followers {
            follower.drain(usize::MAX, |frame| drop(divan::black_box(frame)));
        }
        tally
    });
}

/// One change to many who have stopped reading: folded into what waits for each. An item is one delivery.
#[divan::bench(args = [1, 1_000])]
fn fold(bencher: Bencher, count: u32) {
    let followers = followers(count);
    let notification = Notification::new(samples::update(), Arc::new(samples::updated()), samples::updated());
    let mut tally = Tally::default();
    // Past the bound, with some to spare.
    for follower in &followers {
        for _ in 0..1_000 {
            follower.notify(&notification, Pace::Gathered(Timestamp::default()), &mut tally);
        }
    }
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let mut tally = Tally::default();
        for follower in &followers {
            follower.notify(&notification, Pace::Gathered(Timestamp::default()), &mut tally);
        }
        tally
    });
}
