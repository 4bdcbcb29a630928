//! Rules of sessions of Tencent members.

use std::sync::Arc;

use super::*;
use crate::auth::user_sig::UserSigs;
use crate::clock::Clock;
use crate::config::value::Secret;
use crate::engine::EngineError;
use crate::members::MemberError;
use crate::presence::member_name::MemberName;
use crate::session::member::MemberAction;
use crate::session::member_login::MemberRules;
use crate::session::protocol::CloseFrame;

fn name() -> MemberName {
    MemberName::new("alice").unwrap()
}

/// A session during the login of its member.
fn logging_in() -> SessionState {
    let config = load(&Overrides::default(), HashMap::new()).unwrap();
    let user_sigs = Arc::new(UserSigs::new(7, &Secret::new("secret")));
    let user_sig = user_sigs.make(&name(), Duration::from_secs(60), at(0));
    let rules = Arc::new(MemberRules { user_sigs, config: config.tencent, clock: Clock::manual(at(0)) });
    let mut state =
        SessionState::for_member(crate::dialect::tencent::protocol(), rules, &config.session, &config.limits, at(0));
    let params = format!(r#"{{"SDKAppID":7,"userID":"alice","userSig":"{user_sig}"}}"#);
    let login = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"login","params":{params}}}"#);
    let actions = says(&mut state, &login);
    assert_eq!(actions, [Action::Member(MemberAction::LogIn { name: name(), info: None })]);
    state
}

fn busy() -> CloseFrame {
    CloseFrame::new(1013, "server busy")
}

#[test]
fn the_listed_users_of_a_login_are_retried_as_listed_and_a_failed_login_ends_the_connection() {
    let mut state = logging_in();
    let (id, _) = state.member_logged_in(name()).unwrap();
    let lost = || Drained { abandoned: users(&["bob"]), ..Drained::default() };
    for _ in 0..2 {
        let again = state.outbox_drained(&lost(), at(0));
        assert_eq!(again, [Action::Retry { id, request: EngineRequest::FollowListed(users(&["bob"])) }]);
    }
    let actions = state.outbox_drained(&lost(), at(0));
    assert!(
        matches!(&actions[..], [Action::RefuseInFlight(_), Action::Close(closing)] if *closing == busy()),
        "{actions:?}"
    );
}

#[test]
fn a_login_that_the_server_refuses_ends_the_connection_and_a_call_does_not() {
    for error in [MemberError::Store, MemberError::Away, EngineError::Busy.into()] {
        let actions = logging_in().member_call_done(Err(error), at(0));
        assert!(
            matches!(&actions[..], [Action::Send(_), Action::Close(close_frame)] if *close_frame == busy()),
            "{actions:?}"
        );
    }
    let actions = logging_in().member_call_done(Err(EngineError::Stopped.into()), at(0));
    let leaving = CloseFrame::new(1001, "server shutting down");
    let [Action::Send(_), Action::Send(_), Action::Close(close_frame)] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(*close_frame, leaving);
    let mut state = logging_in();
    state.member_logged_in(name()).unwrap();
    state.outbox_drained(&completed(), at(0));
    says(&mut state, r#"{"jsonrpc":"2.0","id":2,"method":"unsubscribeUserStatus"}"#);
    let actions = state.member_call_done(Err(MemberError::Store), at(0));
    assert!(matches!(&actions[..], [Action::Send(_)]), "{actions:?}");
}
