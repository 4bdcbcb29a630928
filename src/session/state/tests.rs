//! Rules that all roles share, tested on a session with a known user and without a socket.
//!
//! The other roles are in [`in_band`] and [`member`].

mod in_band;
mod member;

use std::collections::HashMap;

use super::*;
use crate::config::{Config, Overrides, load};
use crate::outbox::{ClientAlias, Codec, Encoding, Frame, Frames};
use crate::presence::diff::{Diff, Snapshot};
use crate::presence::id::Username;
use crate::presence::status::StatusText;
use crate::session::action::EngineRequest;

/// A test protocol of words: `ping`, `set away`, `hide`, `follow bob`, `named bob`, `unfollow bob`, `bad`, `fatal`.
struct WordProtocol;

impl Codec for WordProtocol {
    fn encoding(&self) -> Encoding {
        Encoding::NakamaJson
    }

    fn diff(&self, _: &Diff) -> Frames {
        Vec::new()
    }

    fn follow_reply(&self, _: &RequestTag, _: &[Snapshot]) -> Frames {
        Vec::new()
    }
}

impl Protocol for WordProtocol {
    fn decode(&self, incoming: Incoming<'_>) -> Decoded {
        let Incoming::Text(text) = incoming else { return Decoded::Refused(frames("only text")) };
        let words: Vec<&str> = text.split(' ').collect();
        let users = |names: &[&str]| names.iter().map(|name| UserId::from_name(name)).collect();
        if text.contains(", ") {
            let batch = text.split(", ").map(|one| self.decode(Incoming::Text(one)));
            return Decoded::Batch(batch.collect());
        }
        let command = match &words[..] {
            ["ping"] => Command::Ping,
            ["set", status] => Command::SetStatus(Some(StatusText::new(status).unwrap())),
            ["hide"] => Command::SetStatus(None),
            ["follow", names @ ..] => Command::Follow { users: users(names), usernames: vec![] },
            ["named", names @ ..] => Command::Follow { users: vec![], usernames: usernames(names) },
            ["unfollow", names @ ..] => Command::Unfollow(users(names)),
            ["connect", token @ ..] => Command::Connect { token: token.concat().into() },
            ["refresh", token @ ..] => Command::Refresh { token: token.concat().into() },
            ["subscribe", name] => {
                Command::Subscribe { user: UserId::from_name(name), alias: ClientAlias((*name).into()) }
            }
            ["active"] => Command::MarkActive(None),
            ["active", status] => Command::MarkActive(Some(StatusText::new(status).unwrap())),
            ["who", name] => Command::ListConnections(UserId::from_name(name)),
            ["pong"] => return Decoded::Pong,
            ["bad"] => return Decoded::Refused(frames("bad")),
            _ => return Decoded::Fatal(frames("fatal"), CloseFrame::new(1000, "fatal")),
        };
        Decoded::Command(TaggedCommand { tag: RequestTag(Some(words[0].into())), command })
    }

    fn reply(&self, tag: &RequestTag, reply: &Reply) -> Frames {
        frames(&format!("{} {reply:?}", tag.0.as_deref().unwrap_or_default()))
    }

    fn ping(&self) -> Option<Frame> {
        Some(Frame::text("ping?"))
    }

    fn close_frame(&self, cause: CloseReason) -> CloseFrame {
        CloseFrame { code: 1000, reason: format!("{cause:?}").into() }
    }

    fn as_codec(&'static self) -> &'static dyn Codec {
        self
    }
}

fn frames(text: &str) -> Frames {
    vec![Frame::text(text)]
}

fn usernames(names: &[&str]) -> Vec<Username> {
    names.iter().map(|name| Username::new(name).unwrap()).collect()
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(1000 + secs)
}

fn alice(change: impl FnOnce(&mut Config)) -> SessionState {
    let mut config = load(&Overrides::default(), HashMap::new()).unwrap();
    change(&mut config);
    SessionState::for_known_user(&WordProtocol, UserId::from_name("alice"), &config.session, &config.limits, at(0))
}

fn says(state: &mut SessionState, text: &str) -> Vec<Action> {
    state.message_received(Incoming::Text(text), at(0))
}

fn completed() -> Drained {
    Drained { completed: true, ..Drained::default() }
}

fn users(names: &[&str]) -> Vec<UserId> {
    names.iter().map(|name| UserId::from_name(name)).collect()
}

#[test]
fn commands_are_executed_one_at_a_time_in_order() {
    let mut state = alice(|_| {});
    let follow = says(&mut state, "follow bob");
    assert!(matches!(&follow[..], [Action::Follow { id: 1, users, .. }] if *users == self::users(&["bob"])));
    assert_eq!(says(&mut state, "ping"), []);
    assert_eq!(says(&mut state, "hide"), []);
    assert_eq!(says(&mut state, "ping"), []);
    assert!(!state.may_read(), "the session should read no more");
    let next = state.outbox_drained(&completed(), at(0));
    assert_eq!(next[0], Action::Send(frames("ping Pong")));
    assert!(matches!(next[1], Action::SetStatus { id: 2, status: None, .. }), "{next:?}");
    assert_eq!(next.len(), 2, "a command overtook the status under way");
    assert_eq!(state.outbox_drained(&completed(), at(0)), [Action::Send(frames("ping Pong"))]);
    assert!(state.may_read());
}

#[test]
fn usernames_are_resolved_before_the_follow() {
    let mut state = alice(|_| {});
    assert_eq!(says(&mut state, "named bob"), [Action::ResolveUsernames(vec![Username::new("bob").unwrap()])]);
    assert_eq!(says(&mut state, "ping"), [], "the ping overtook the look-up");
    let found = state.usernames_resolved(Some(users(&["bob"])), at(0));
    assert!(matches!(&found[..], [Action::Follow { .. }]), "{found:?}");
    assert_eq!(state.outbox_drained(&completed(), at(0)), [Action::Send(frames("ping Pong"))]);
    says(&mut state, "named carol");
    assert_eq!(state.usernames_resolved(None, at(0)), [Action::Send(frames("named Refused(Busy)"))]);
}

#[test]
fn a_follow_past_the_quota_is_refused_and_changes_nothing() {
    let mut state = alice(|config| config.limits.follows_per_session = 2);
    let refused = says(&mut state, "follow a b c");
    assert!(matches!(&refused[..], [Action::Send(_)]), "{refused:?}");
    assert!(matches!(&says(&mut state, "follow a b")[..], [Action::Follow { .. }]));
    assert_eq!(state.take_follows().len(), 2);
}

#[test]
fn commands_past_the_rate_limit_are_refused_until_the_window_has_room() {
    let mut state = alice(|config| config.limits.commands = 2);
    for _ in 0..2 {
        assert_eq!(says(&mut state, "ping"), [Action::Send(frames("ping Pong"))]);
    }
    let refused = says(&mut state, "ping");
    assert_eq!(refused, [Action::Send(frames("ping Refused(RateLimited { limit: 2, retry_after: 1s })"))]);
    assert_eq!(state.message_received(Incoming::Text("ping"), at(1)), [Action::Send(frames("ping Pong"))]);
}

#[test]
fn a_client_past_its_budget_of_work_is_read_later() {
    let mut state = alice(|config| (config.limits.work, config.limits.work_burst) = (10, 20));
    (0..20).for_each(|_| state.frame_received(0, at(0)));
    assert!(state.may_read(), "twenty frames of any kind are a burst");
    state.frame_received(0, at(0));
    assert!(!state.may_read());
    let resumes = state.paused_until().unwrap();
    assert_eq!(resumes.since(at(0)), Duration::from_millis(100));
    assert_eq!(state.tick(at(0)), []);
    assert!(!state.may_read(), "a wake that comes too early");
    assert_eq!(state.tick(resumes), []);
    assert!(state.may_read());
}

#[test]
fn every_user_that_a_follow_names_is_charged_even_if_the_follow_is_refused() {
    let names = vec!["nobody"; 50].join(" ");
    for (command, quota) in [("follow", 4096), ("named", 4096), ("named", 10)] {
        let mut state = alice(|config| {
            (config.limits.work, config.limits.work_burst) = (10, 20);
            config.limits.follows_per_session = quota;
        });
        says(&mut state, &format!("{command} {names}"));
        assert_eq!(state.paused_until().unwrap().since(at(0)), Duration::from_secs(3), "{command} within {quota}");
    }
}

#[test]
fn a_client_that_is_closing_is_charged_too() {
    let mut state = alice(|config| (config.limits.work, config.limits.work_burst) = (10, 20));
    says(&mut state, "fatal");
    (0..21).for_each(|_| state.frame_received(0, at(0)));
    assert_eq!(state.tick(state.paused_until().unwrap()), []);
    assert!(state.may_read());
    assert_eq!(state.tick(at(2)), [Action::Stop]);
}

#[test]
fn a_silent_client_is_pinged_and_then_disconnected() {
    let mut state = alice(|_| {});
    assert_eq!(state.deadline(), at(15));
    assert_eq!(state.tick(at(14)), []);
    assert_eq!(state.tick(at(15)), [Action::Ping]);
    assert_eq!(state.tick(at(16)), [], "pinged twice");
    assert_eq!(state.deadline(), at(25));
    let closed = state.tick(at(25));
    assert!(matches!(&closed[..], [Action::Close(closing)] if closing.reason == "PingTimeout"), "{closed:?}");
    assert_eq!(state.deadline(), at(27));
    assert_eq!(state.tick(at(27)), [Action::Stop], "the client did not answer the close");
}

#[test]
fn after_a_standstill_clients_are_pinged_before_they_are_disconnected() {
    let mut state = alice(|_| {});
    assert_eq!(state.tick(at(60)), [Action::Ping]);
    assert_eq!((state.deadline(), state.tick(at(69))), (at(70), Vec::new()));
    assert!(matches!(&state.tick(at(70))[..], [Action::Close(_)]));
}

#[test]
fn a_client_that_sends_something_after_a_ping_stays_connected() {
    let mut state = alice(|_| {});
    for round in 1..5 {
        assert_eq!(state.tick(at(round * 20 - 5)), [Action::Ping]);
        state.frame_received(0, at(round * 20));
    }
}

#[test]
fn a_refused_message_keeps_the_connection_and_a_fatal_message_ends_it() {
    let mut state = alice(|_| {});
    assert_eq!(says(&mut state, "bad"), [Action::Send(frames("bad"))]);
    assert_eq!(says(&mut state, "ping"), [Action::Send(frames("ping Pong"))]);
    let ended = says(&mut state, "fatal");
    assert_eq!(ended, [Action::Send(frames("fatal")), Action::Close(CloseFrame::new(1000, "fatal"))]);
    assert_eq!(says(&mut state, "ping"), [], "a command was executed after the close");
    assert_eq!(state.client_closed(Some(1000), at(0)), [Action::Stop]);
}

#[test]
fn the_close_frame_of_the_client_is_echoed_without_its_reason() {
    let mut state = alice(|_| {});
    assert_eq!(state.client_closed(Some(4001), at(0)), [Action::Close(CloseFrame::new(4001, "")), Action::Stop]);
}

#[test]
fn a_follow_is_retried_when_a_user_actor_is_lost_and_refused_after_three_attempts() {
    let mut state = alice(|_| {});
    says(&mut state, "follow bob carol");
    says(&mut state, "ping");
    let lost = || Drained { abandoned: users(&["carol"]), ..Drained::default() };
    for _ in 0..2 {
        let again = state.outbox_drained(&lost(), at(0));
        assert_eq!(again, [Action::Retry { id: 1, request: EngineRequest::Follow(users(&["carol"])) }]);
    }
    let refused = Action::RefuseInFlight(frames("follow Refused(Busy)"));
    assert_eq!(state.outbox_drained(&lost(), at(0)), [refused, Action::UnfollowSilently(users(&["bob", "carol"]))]);
    assert_eq!(state.outbox_drained(&completed(), at(0)), [Action::Send(frames("ping Pong"))]);
    assert_eq!(state.take_follows(), [], "the refused users are still followed");
}

#[test]
fn a_refused_follow_keeps_the_users_that_were_followed_before() {
    let mut state = alice(|_| {});
    says(&mut state, "follow bob");
    state.outbox_drained(&completed(), at(0));
    says(&mut state, "follow bob carol");
    let lost = || Drained { abandoned: users(&["bob"]), ..Drained::default() };
    state.outbox_drained(&lost(), at(0));
    state.outbox_drained(&lost(), at(0));
    let refused = Action::RefuseInFlight(frames("follow Refused(Busy)"));
    assert_eq!(state.outbox_drained(&lost(), at(0)), [refused, Action::UnfollowSilently(users(&["carol"]))]);
    assert_eq!(state.take_follows(), users(&["bob"]));
}

#[test]
fn a_refused_unfollow_can_be_repeated() {
    let mut state = alice(|_| {});
    says(&mut state, "follow bob carol");
    state.outbox_drained(&completed(), at(0));
    says(&mut state, "unfollow bob carol");
    let lost = || Drained { abandoned: users(&["carol"]), ..Drained::default() };
    state.outbox_drained(&lost(), at(0));
    state.outbox_drained(&lost(), at(0));
    assert_eq!(state.outbox_drained(&lost(), at(0)), [Action::RefuseInFlight(frames("unfollow Refused(Busy)"))]);
    state.outbox_drained(&completed(), at(0));
    let again = says(&mut state, "unfollow bob carol");
    assert!(matches!(&again[..], [Action::Unfollow { users: asked, .. }] if *asked == users(&["carol"])), "{again:?}");
}

#[test]
fn more_usernames_than_the_quota_allows_are_not_resolved() {
    let mut state = alice(|config| config.limits.follows_per_session = 2);
    let refused = says(&mut state, "named a b c");
    assert!(matches!(&refused[..], [Action::Send(_)]), "{refused:?}");
    let same = says(&mut state, "named b a b");
    assert_eq!(same, [Action::ResolveUsernames(usernames(&["a", "b"]))]);
}

#[test]
fn a_drain_closes_with_the_close_frame_of_the_dialect() {
    let mut state = alice(|_| {});
    let drained = Drained { close_request: Some(CloseRequest::Drain), ..Drained::default() };
    let closed = state.outbox_drained(&drained, at(0));
    assert!(matches!(&closed[..], [Action::Close(closing)] if closing.reason == "Drain"), "{closed:?}");
}
