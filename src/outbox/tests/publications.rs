//! A follower that receives whole presences, under its own names for the users.

use super::*;

/// Encodes `alias: status status …`.
struct PublicationCodec;

impl Codec for PublicationCodec {
    fn encoding(&self) -> Encoding {
        Encoding::CentrifugoJson
    }

    fn diff(&self, diff: &Diff) -> Frames {
        panic!("a diff was encoded: {diff:?}")
    }

    fn follow_reply(&self, tag: &RequestTag, snapshots: &[Snapshot]) -> Frames {
        let text = format!("reply {}: {}", tag.0.as_deref().unwrap_or_default(), statuses(&snapshots[0]));
        vec![Frame::text(&text)]
    }

    fn publisher(&self) -> Option<&dyn Publisher> {
        Some(self)
    }
}

impl Publisher for PublicationCodec {
    fn body(&self, after: &Snapshot) -> ByteString {
        statuses(after).into()
    }

    fn publication(&self, alias: &ClientAlias, body: &str) -> Frame {
        Frame::text(&format!("{}: {body}", alias.0))
    }
}

fn statuses(snapshot: &Snapshot) -> String {
    snapshot.presences.iter().map(|presence| presence.status.as_str()).collect::<Vec<_>>().join(" ")
}

fn subscriber(bound: usize) -> OutboxReceiver {
    let opening = Opening { connection: connection(200), username: None, status: None };
    OutboxReceiver::new(opening, &PublicationCodec, bound, &Metrics::new())
}

/// The user Bob, without followers at first.
struct Bob(UserPresence<Address>, u64);

impl Bob {
    fn new() -> Self {
        let mut bob = Self(UserPresence::new(user(1)), 1);
        let opening = Opening { connection: connection(1), username: None, status: None };
        let own = OutboxReceiver::new(opening, &PublicationCodec, 0, &Metrics::new())
            .address()
            .announce()
            .expect("it has not ended");
        bob.happens(Event::Connected(own));
        bob
    }

    fn happens(&mut self, event: Event<Address>) -> Option<Followed> {
        self.1 += 1;
        let effects = self.0.handle(event, Timestamp::from_secs(self.1));
        if let Some(diff) = effects.notify {
            let notification = Notification::new(diff, std::sync::Arc::new(self.0.snapshot()), self.0.snapshot());
            self.0.followers().iter().for_each(|follower| notify(follower, &notification));
        }
        effects.snapshot
    }

    fn sets(&mut self, status: u8) {
        self.happens(Event::StatusSet { connection: connection(1), status: Some(text(status)) });
    }

    fn is_followed(&mut self, outbox: &OutboxReceiver, alias: &str) {
        outbox.await_subscription(1, RequestTag(Some(alias.into())), user(1), ClientAlias(alias.into()));
        let followed = self.happens(Event::Followed(outbox.address().clone())).expect("a snapshot");
        Ticket::new(outbox.address().clone(), 1, user(1)).snapshot(followed);
    }
}

#[test]
fn each_follower_receives_its_own_name_for_the_user() {
    let (mut bob, first, second) = (Bob::new(), subscriber(1000), subscriber(1000));
    bob.is_followed(&first, "bob");
    bob.is_followed(&second, "BOB");
    bob.sets(1);
    assert_eq!(frames(&first), ["reply bob: ", "bob: status-1"]);
    assert_eq!(frames(&second), ["reply BOB: ", "BOB: status-1"]);
}

#[test]
fn no_publication_precedes_the_reply_to_a_subscription() {
    let (mut bob, alice) = (Bob::new(), subscriber(1000));
    // Like the address of an own connection, which follows before it subscribes.
    bob.happens(Event::Followed(alice.address().clone()));
    bob.sets(1);
    alice.await_subscription(1, RequestTag(Some("bob".into())), user(1), ClientAlias("bob".into()));
    bob.sets(2);
    let followed = bob.happens(Event::Followed(alice.address().clone())).unwrap();
    Ticket::new(alice.address().clone(), 1, user(1)).snapshot(followed);
    bob.sets(3);
    assert_eq!(frames(&alice), ["reply bob: status-2", "bob: status-3"]);
}

#[test]
fn a_slow_follower_gets_the_latest_presence_of_each() {
    let (mut bob, alice) = (Bob::new(), subscriber(0));
    bob.is_followed(&alice, "bob");
    for round in 0..100 {
        bob.sets(round);
    }
    assert_eq!(frames(&alice), ["reply bob: ", "bob: status-99"]);
    bob.sets(100);
    assert_eq!(frames(&alice), ["bob: status-100"], "it no longer folds");
}

#[test]
fn an_unfollow_ends_publications_and_drops_the_folded_one() {
    let (mut bob, alice) = (Bob::new(), subscriber(0));
    bob.is_followed(&alice, "bob");
    bob.sets(1);
    alice.await_unfollow(2, vec![Frame::text("done")], 1);
    Ticket::new(alice.address().clone(), 2, user(1)).acknowledge();
    bob.sets(2);
    assert_eq!(frames(&alice), ["reply bob: ", "done"]);
}

#[test]
fn a_change_of_times_only_is_published_but_is_no_diff() {
    let (mut bob, alice, nakama) = (Bob::new(), subscriber(1000), outbox(1000, &Metrics::new()));
    bob.is_followed(&alice, "bob");
    bob.happens(Event::Followed(nakama.address().clone()));
    bob.happens(Event::Active { at: Timestamp::from_secs(7), by: None, state: None });
    assert_eq!(frames(&alice), ["reply bob: ", "bob: "]);
    assert_eq!(frames(&nakama), Vec::<String>::new());
}

#[test]
fn the_latest_change_of_each_user_follows_the_replies_of_a_batch() {
    let alice = subscriber(1000);
    let mut bob = Bob::new();
    bob.sets(1);
    alice.batch_replies(2);
    bob.is_followed(&alice, "bob");
    bob.sets(2);
    bob.sets(3);
    assert_eq!(frames(&alice), Vec::<String>::new(), "it was published before the replies of the batch");
    alice.respond(&[Frame::text("second")]);
    let [replies @ .., change] = &frames(&alice)[..] else { panic!("nothing came") };
    assert_eq!(replies, ["reply bob: status-1", "second"]);
    assert_eq!(change, "bob: status-3");
}
