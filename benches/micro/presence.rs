//! The state machine of one user, [`UserPresence::handle`].

use divan::Bencher;
use hereabouts::dialect::nakama::Format;
use hereabouts::outbox::Address;
use hereabouts::presence::general_status::Exit;
use hereabouts::presence::status::StatusText;
use hereabouts::presence::time::Timestamp;
use hereabouts::presence::user::{Event, UserPresence};

use crate::samples;

const FOLLOWERS: [u32; 3] = [1, 1_000, 15_000];

/// Returns a user with one connection, which has this status, with `followers` followers; and another outbox, which does not
/// follow yet.
fn user(status: Option<StatusText>, followers: u32) -> (UserPresence<Address>, Address) {
    let mut user = UserPresence::new(samples::user(0));
    let outboxes = samples::outboxes(followers + 2, Format::Json.protocol().as_codec());
    let mut outboxes = outboxes.into_iter().map(|outbox| outbox.address().clone());
    let own = outboxes.next().expect("the first outbox");
    own.set_status(status);
    let connection = own.announce().expect("it has not ended");
    user.handle(Event::Connected(connection), Timestamp::default());
    let another = outboxes.next().expect("the second outbox");
    for follower in outboxes {
        user.handle(Event::Followed(follower), Timestamp::default());
    }
    (user, another)
}

fn set(status: StatusText) -> Event<Address> {
    Event::StatusSet { connection: samples::connection(0), status: Some(status) }
}

/// An invisible connection sets its first status.
#[divan::bench]
fn first_status(bencher: Bencher) {
    bencher.with_inputs(|| (user(None, 1).0, Some(set(samples::status(1))))).bench_local_refs(|(user, event)| {
        user.handle(event.take().expect("one event per input"), Timestamp::from_secs(1))
    });
}

/// A visible connection sets another status.
#[divan::bench(args = FOLLOWERS)]
fn update(bencher: Bencher, followers: u32) {
    let (mut user, _) = user(Some(samples::status(0)), followers);
    let event = set(samples::status(1));
    bencher.bench_local(|| user.handle(event.clone(), Timestamp::from_secs(1)));
}

/// A follower is added and removed, so that each iteration has the same number of followers.
#[divan::bench(args = FOLLOWERS)]
fn follow_and_unfollow(bencher: Bencher, followers: u32) {
    let (mut user, another) = user(Some(samples::status(0)), followers);
    bencher.bench_local(|| {
        let followed = user.handle(Event::Followed(another.clone()), Timestamp::from_secs(1));
        (followed, user.handle(Event::Unfollowed(another.clone()), Timestamp::from_secs(1)))
    });
}

/// The only connection of a user ends; it was visible.
#[divan::bench]
fn leave(bencher: Bencher) {
    let gone = Event::Disconnected { connection: samples::connection(0), exit: Exit::Lost, linger: None };
    bencher
        .with_inputs(|| user(Some(samples::status(0)), 1).0)
        .bench_local_refs(|user| user.handle(gone.clone(), Timestamp::from_secs(1)));
}
