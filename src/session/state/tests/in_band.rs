//! Rules of sessions with an in-band handshake.

use std::sync::Arc;

use super::*;
use crate::auth::connection::TokenError;
use crate::config::value::Pattern;
use crate::engine::EngineError;
use crate::presence::id::ConnectionId;
use crate::session::action::AttachRequest;
use crate::session::authenticator::{Authenticator, Identity};
use crate::session::handshake::HandshakeRules;

/// Accepts `name` and `name@second-of-expiry`. `old` has expired, `bad` is invalid, `nobody` has no user.
struct Names;

impl Authenticator for Names {
    fn authenticate(&self, token: &str, _: Timestamp) -> Result<Identity, TokenError> {
        let (name, expires) = match token.split_once('@') {
            Some((name, second)) => (name, Some(at(second.parse().unwrap()))),
            None => (token, None),
        };
        let user = match name {
            "old" => return Err(TokenError::Expired),
            "bad" => return Err(TokenError::Invalid),
            "nobody" => None,
            name => Some(UserId::from_name(name)),
        };
        Ok(Identity { user, username: Username::new(name).ok(), info: None, expires })
    }
}

fn rules() -> HandshakeRules {
    HandshakeRules {
        authenticator: Arc::new(Names),
        anonymous_without_token: false,
        anonymous_with_token: true,
        connections_per_user: 3,
        handshake_timeout: Duration::from_secs(10),
        expired_grace: Duration::from_secs(25),
        may_mark_active: true,
        states: Pattern::default(),
        dialect_pings: true,
        ping_interval: Duration::from_secs(25),
        pong_timeout: Duration::from_secs(8),
        first_ping: Duration::from_secs(13),
    }
}

fn unauthenticated(change: impl FnOnce(&mut HandshakeRules)) -> SessionState {
    let config = load(&Overrides::default(), HashMap::new()).unwrap();
    let mut rules = rules();
    change(&mut rules);
    let limits = LimitsConfig { follows_per_session: 2, ..config.limits };
    SessionState::for_in_band(&WordProtocol, rules, &config.session, &limits, at(0))
}

fn connection() -> ConnectionId {
    ConnectionId::from_uuid(uuid::Uuid::from_u128(7))
}

/// A session of bob with a complete handshake.
fn bob(token: &str) -> SessionState {
    let mut state = unauthenticated(|_| {});
    says(&mut state, &format!("connect {token}"));
    let welcome = state.attached(Ok(connection()), at(0));
    assert!(matches!(&welcome[..], [Action::Send(_)]), "{welcome:?}");
    state
}

fn closed(actions: &[Action]) -> &str {
    match actions {
        [Action::Close(closing)] => &closing.reason,
        other => panic!("not just a close: {other:?}"),
    }
}

fn sent(text: &str) -> Action {
    Action::Send(frames(text))
}

#[test]
fn a_client_authenticates_by_its_first_command_and_its_other_commands_follow_in_order() {
    let mut state = unauthenticated(|_| {});
    let actions = says(&mut state, "connect bob@60, subscribe carol, ping");
    let arrival = AttachRequest {
        user: Some(UserId::from_name("bob")),
        username: Some(Username::new("bob").unwrap()),
        status: Some(StatusText::empty()),
        info: None,
        max_connections: 3,
    };
    assert_eq!(actions, [Action::Attach(arrival)]);
    assert!(!state.may_read());
    let actions = state.attached(Ok(connection()), at(0));
    let Action::Send(welcome) = &actions[0] else { panic!("{actions:?}") };
    let welcome = welcome[0].as_text().unwrap();
    assert!(welcome.contains("ttl: Some(60s), ping: Some(25s)"), "{welcome}");
    assert!(matches!(&actions[1..], [Action::Subscribe { alias, .. }] if &alias.0 == "carol"), "{actions:?}");
    assert_eq!(state.outbox_drained(&completed(), at(0)), [sent("ping Pong")]);
}

#[test]
fn a_client_that_does_not_authenticate_first_is_disconnected() {
    for first in ["ping", "subscribe carol", "bad", "pong", "active", "refresh bob", "ping, connect bob"] {
        let mut state = unauthenticated(|_| {});
        assert_eq!(closed(&says(&mut state, first)), "BadRequest", "{first}");
    }
    let mut state = bob("bob");
    assert_eq!(closed(&says(&mut state, "connect bob")), "BadRequest");
}

#[test]
fn a_second_connect_closes_the_connection_after_the_welcome() {
    let mut state = unauthenticated(|_| {});
    says(&mut state, "connect bob, connect bob");
    let actions = state.attached(Ok(connection()), at(0));
    assert!(matches!(&actions[0], Action::Send(_)), "{actions:?}");
    assert_eq!(closed(&actions[1..]), "BadRequest");
}

#[test]
fn an_expired_token_is_refused_and_no_other_command_is_accepted_after_it() {
    let mut state = unauthenticated(|_| {});
    let refused = says(&mut state, "connect old, subscribe carol");
    assert_eq!(refused[0], Action::Send(frames("connect Refused(TokenExpired)")));
    assert_eq!(closed(&refused[1..]), "BadRequest");
    let mut state = unauthenticated(|_| {});
    says(&mut state, "connect old");
    assert_eq!(state.deadline(), at(10));
    assert_eq!(closed(&state.tick(at(10))), "HandshakeTimeout");
}

#[test]
fn an_invalid_or_missing_token_ends_the_connection() {
    for (first, reason) in [("connect bad", "InvalidToken"), ("connect", "BadRequest")] {
        assert_eq!(closed(&says(&mut unauthenticated(|_| {}), first)), reason);
    }
    let mut state = unauthenticated(|rules| rules.anonymous_with_token = false);
    assert_eq!(closed(&says(&mut state, "connect nobody")), "NotPermitted");
}

#[test]
fn an_anonymous_client_is_invisible_and_cannot_mark_a_user_active() {
    for (token, without) in [("connect", true), ("connect nobody", false)] {
        let mut state = unauthenticated(|rules| rules.anonymous_without_token = without);
        let actions = says(&mut state, token);
        assert!(
            matches!(&actions[..], [Action::Attach(AttachRequest { user: None, status: None, .. })]),
            "{actions:?}"
        );
        state.attached(Ok(connection()), at(0));
        assert_eq!(says(&mut state, "active"), [Action::Send(frames("active Refused(NotPermitted)"))]);
        assert!(matches!(&says(&mut state, "subscribe carol")[..], [Action::Subscribe { .. }]));
    }
}

#[test]
fn a_client_that_does_not_authenticate_in_time_is_disconnected() {
    let mut state = unauthenticated(|_| {});
    assert_eq!((state.deadline(), state.tick(at(9))), (at(10), vec![]));
    assert_eq!(closed(&state.tick(at(10))), "HandshakeTimeout");
}

#[test]
fn a_client_that_the_server_cannot_attach_is_disconnected_with_the_reason() {
    for (error, reason) in [
        (EngineError::Busy, "Busy"),
        (EngineError::TooManyConnections, "TooManyConnections"),
        (EngineError::Stopped, "Drain"),
    ] {
        let mut state = unauthenticated(|_| {});
        says(&mut state, "connect bob, ping");
        assert_eq!(closed(&state.attached(Err(error), at(0))), reason);
    }
    let mut state = unauthenticated(|_| {});
    says(&mut state, "connect bob");
    assert_eq!((state.deadline(), state.tick(at(9))), (at(10), vec![]));
    assert_eq!(closed(&state.tick(at(10))), "Busy");
    assert_eq!(state.attached(Ok(connection()), at(11)), [], "too late");
}

#[test]
fn pings_are_messages_and_need_a_pong() {
    let mut state = bob("bob");
    assert_eq!(state.deadline(), at(13));
    assert_eq!(state.tick(at(13)), [sent("ping?")]);
    says(&mut state, "ping");
    assert_eq!(state.deadline(), at(21), "other traffic counted as a pong");
    assert_eq!(says(&mut state, "pong"), []);
    assert_eq!(state.tick(at(38)), [sent("ping?")]);
    assert_eq!(closed(&state.tick(at(46))), "PingTimeout");
    assert_eq!(closed(&says(&mut bob("bob"), "pong")), "BadRequest", "no ping was sent");
}

#[test]
fn a_pong_does_not_wait_for_the_command_in_flight() {
    let mut state = bob("bob");
    state.tick(at(13));
    says(&mut state, "subscribe carol, ping");
    assert_eq!(says(&mut state, "pong"), []);
    assert_eq!(state.tick(at(22)), [], "the pong was not counted");
}

#[test]
fn websocket_pings_replace_the_dialects_pings_when_the_client_asks() {
    let mut state = unauthenticated(|rules| rules.dialect_pings = false);
    says(&mut state, "connect bob");
    let welcome = format!("{:?}", state.attached(Ok(connection()), at(0)));
    assert!(welcome.contains("ping: None"), "{welcome}");
    assert_eq!(state.tick(at(15)), [Action::Ping]);
    assert_eq!(closed(&state.tick(at(25))), "PingTimeout");
}

#[test]
fn an_expired_token_is_replaced_in_time_or_the_connection_ends() {
    let mut state = bob("bob@12");
    assert_eq!(state.deadline(), at(13));
    assert_eq!(
        state.message_received(Incoming::Text("refresh bob@90"), at(20)),
        [sent("refresh Refreshed { ttl: Some(70s) }")]
    );
    state.tick(at(20));
    says(&mut state, "pong");
    assert_eq!(state.tick(at(37)), []);
    assert_eq!(says(&mut state, "refresh bob"), [sent("refresh Refreshed { ttl: None }")]);
    let mut late = unauthenticated(|rules| rules.first_ping = Duration::from_secs(100));
    says(&mut late, "connect bob@12");
    late.attached(Ok(connection()), at(0));
    assert_eq!((late.deadline(), late.tick(at(36))), (at(37), vec![]));
    assert_eq!(closed(&late.tick(at(37))), "TokenExpired");
}

#[test]
fn a_refresh_with_an_unusable_token_ends_the_connection() {
    for (token, reason) in
        [("", "BadRequest"), (" old", "TokenExpired"), (" bad", "InvalidToken"), (" carol", "InvalidToken")]
    {
        assert_eq!(closed(&says(&mut bob("bob@60"), &format!("refresh{token}"))), reason, "refresh{token}");
    }
}

#[test]
fn a_user_is_subscribed_to_once_and_within_the_quota() {
    let mut state = bob("bob");
    for name in ["bob", "carol"] {
        assert!(matches!(&says(&mut state, &format!("subscribe {name}"))[..], [Action::Subscribe { .. }]), "{name}");
        state.outbox_drained(&completed(), at(0));
    }
    assert_eq!(says(&mut state, "subscribe carol"), [Action::Send(frames("subscribe Refused(AlreadyFollowed)"))]);
    let refused = format!("{:?}", says(&mut state, "subscribe dave"));
    assert!(refused.contains("TooManyFollows"), "{refused}");
    assert!(matches!(&says(&mut state, "unfollow carol")[..], [Action::Unfollow { users, .. }] if users.len() == 1));
    state.outbox_drained(&completed(), at(0));
    assert!(matches!(&says(&mut state, "subscribe dave")[..], [Action::Subscribe { .. }]));
    assert_eq!(state.take_follows().len(), 2);
}

#[test]
fn mark_active_waits_for_its_turn_and_is_retried_when_the_user_actor_is_lost() {
    let mut state = bob("bob");
    let done = frames("active Done");
    assert_eq!(says(&mut state, "active"), [Action::MarkActive { id: 2, state: None, done: done.clone() }]);
    assert_eq!(says(&mut state, "active dnd"), [], "it overtook the first command");
    let dnd = StatusText::new("dnd").ok();
    assert_eq!(state.outbox_drained(&completed(), at(0)), [Action::MarkActive { id: 3, state: dnd.clone(), done }]);
    let lost = Drained { abandoned: vec![UserId::from_name("bob")], ..Drained::default() };
    let again = [Action::Retry { id: 3, request: EngineRequest::MarkActive(dnd) }];
    assert_eq!(state.outbox_drained(&lost, at(0)), again);
    assert_eq!(state.outbox_drained(&lost, at(0)), again);
    assert_eq!(state.outbox_drained(&lost, at(0)), [Action::RefuseInFlight(frames("active Refused(Busy)"))]);
    let mut state = unauthenticated(|rules| rules.may_mark_active = false);
    says(&mut state, "connect bob");
    state.attached(Ok(connection()), at(0));
    assert_eq!(says(&mut state, "active"), [Action::Send(frames("active Refused(Disabled)"))]);
}

#[test]
fn listing_connections_waits_for_its_turn() {
    let mut state = bob("bob");
    assert_eq!(says(&mut state, "who carol, ping"), [Action::ListConnections(UserId::from_name("carol"))]);
    assert_eq!(state.connections_listed(Ok(vec![]), at(0)), [sent("who Connections([])"), sent("ping Pong")]);
}

#[test]
fn commands_before_a_fatal_message_are_answered_first() {
    let mut state = unauthenticated(|_| {});
    says(&mut state, "connect bob, fatal, ping");
    let actions = state.attached(Ok(connection()), at(0));
    assert!(matches!(&actions[..], [Action::Send(_), Action::Send(_), Action::Close(_)]), "{actions:?}");
}
