//! A follower who is told whole presences, under names of its own.

use super::*;

/// Writes `alias: status status …`.
struct Papers;

impl Codec for Papers {
    fn encoding(&self) -> Encoding {
        Encoding::CentrifugoJson
    }

    fn diff(&self, diff: &Diff) -> Frames {
        panic!("asked for a diff: {diff:?}")
    }

    fn followed(&self, tag: &RequestTag, snapshots: &[Snapshot]) -> Frames {
        let text = format!("reply {}: {}", tag.0.as_deref().unwrap_or_default(), statuses(&snapshots[0]));
        vec![Frame::text(&text)]
    }

    fn publisher(&self) -> Option<&dyn Publisher> {
        Some(self)
    }
}

impl Publisher for Papers {
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

fn subscriber(bound: usize) -> Address {
    let opening = Opening { connection: connection(200), username: None, status: None };
    Address::new(opening, &Papers, bound, &Metrics::new())
}

/// Bob of the machine of a user, whom nobody follows by itself.
struct Bob(UserPresence<Address>, u64);

impl Bob {
    fn new() -> Self {
        let mut bob = Self(UserPresence::new(user(1)), 1);
        let opening = Opening { connection: connection(1), username: None, status: None };
        let own = Address::new(opening, &Papers, 0, &Metrics::new()).announce().expect("it has not ended");
        bob.happens(Event::Connected(own));
        bob
    }

    fn happens(&mut self, event: Event<Address>) -> Option<Followed> {
        self.1 += 1;
        let effects = self.0.handle(event, Timestamp::from_secs(self.1));
        if let Some(diff) = effects.notify {
            let notification = Notification::new(diff, std::sync::Arc::new(self.0.snapshot()), self.0.snapshot());
            self.0.followers().iter().for_each(|follower| told(follower, &notification));
        }
        effects.snapshot
    }

    fn sets(&mut self, status: u8) {
        self.happens(Event::StatusSet { connection: connection(1), status: Some(text(status)) });
    }

    fn is_followed(&mut self, address: &Address, alias: &str) {
        address.await_subscription(1, RequestTag(Some(alias.into())), user(1), ClientAlias(alias.into()));
        let followed = self.happens(Event::Followed(address.clone())).expect("a snapshot");
        Ticket::new(address.clone(), 1, user(1)).snapshot(followed);
    }
}

#[test]
fn each_follower_is_told_under_its_own_name() {
    let (mut bob, first, second) = (Bob::new(), subscriber(1000), subscriber(1000));
    bob.is_followed(&first, "bob");
    bob.is_followed(&second, "BOB");
    bob.sets(1);
    assert_eq!(frames(&first), ["reply bob: ", "bob: status-1"]);
    assert_eq!(frames(&second), ["reply BOB: ", "BOB: status-1"]);
}

#[test]
fn nothing_is_told_before_the_reply_to_a_subscription() {
    let (mut bob, alice) = (Bob::new(), subscriber(1000));
    // As the address of an own connection does, which is told before it asks.
    bob.happens(Event::Followed(alice.clone()));
    bob.sets(1);
    alice.await_subscription(1, RequestTag(Some("bob".into())), user(1), ClientAlias("bob".into()));
    bob.sets(2);
    let followed = bob.happens(Event::Followed(alice.clone())).unwrap();
    Ticket::new(alice.clone(), 1, user(1)).snapshot(followed);
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
    assert_eq!(frames(&alice), ["bob: status-100"], "it does not fold any more");
}

#[test]
fn after_an_unfollow_nothing_is_told_and_what_was_folded_is_gone() {
    let (mut bob, alice) = (Bob::new(), subscriber(0));
    bob.is_followed(&alice, "bob");
    bob.sets(1);
    alice.await_unfollow(2, vec![Frame::text("done")], 1);
    Ticket::new(alice.clone(), 2, user(1)).acknowledge();
    bob.sets(2);
    assert_eq!(frames(&alice), ["reply bob: ", "done"]);
}

#[test]
fn times_alone_are_told_in_whole_presences_but_not_as_a_diff() {
    let (mut bob, alice, nakama) = (Bob::new(), subscriber(1000), outbox(1000, &Metrics::new()));
    bob.is_followed(&alice, "bob");
    bob.happens(Event::Followed(nakama.clone()));
    bob.happens(Event::Active { at: Timestamp::from_secs(7), by: None, state: None });
    assert_eq!(frames(&alice), ["reply bob: ", "bob: "]);
    assert_eq!(frames(&nakama), Vec::<String>::new());
}

#[test]
fn changes_among_the_answers_of_a_batch_go_out_after_them_the_latest_of_each_user() {
    let address = subscriber(1000);
    let mut bob = Bob::new();
    bob.sets(1);
    address.gather(2);
    bob.is_followed(&address, "bob");
    bob.sets(2);
    bob.sets(3);
    assert_eq!(frames(&address), Vec::<String>::new(), "told before the batch is answered");
    address.respond(&[Frame::text("second")]);
    let [answers @ .., change] = &frames(&address)[..] else { panic!("nothing came") };
    assert_eq!(answers, ["reply bob: status-1", "second"]);
    assert_eq!(change, "bob: status-3");
}
