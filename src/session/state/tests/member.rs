//! Sessions of accounts.

use std::sync::Arc;

use super::*;
use crate::auth::user_sig::UserSigs;
use crate::clock::Clock;
use crate::config::value::Secret;
use crate::engine::EngineError;
use crate::members::MemberError;
use crate::presence::member_name::MemberName;
use crate::session::member::{MemberAction, MemberRules};
use crate::session::protocol::CloseFrame;

fn name() -> MemberName {
    MemberName::new("alice").unwrap()
}

/// A session of which somebody asks to be let in.
fn arriving() -> State {
    let config = load(&Overrides::default(), HashMap::new()).unwrap();
    let user_sigs = Arc::new(UserSigs::new(7, &Secret::new("secret")));
    let user_sig = user_sigs.make(&name(), Duration::from_secs(60), at(0));
    let rules = Arc::new(MemberRules { user_sigs, config: config.tencent, clock: Clock::manual(at(0)) });
    let mut state =
        State::of_accounts(crate::dialect::tencent::protocol(), rules, &config.session, &config.limits, at(0));
    let params = format!(r#"{{"SDKAppID":7,"userID":"alice","userSig":"{user_sig}"}}"#);
    let login = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"login","params":{params}}}"#);
    let actions = says(&mut state, &login);
    assert_eq!(actions, [Action::Member(MemberAction::Arrive { name: name(), info: None })]);
    state
}

fn busy() -> CloseFrame {
    CloseFrame::new(1013, "server busy")
}

#[test]
fn whom_a_login_lists_is_asked_for_again_as_listed_and_a_login_that_is_given_up_ends_the_connection() {
    let mut state = arriving();
    let (id, _) = state.entered(name()).unwrap();
    let lost = || Drained { abandoned: users(&["bob"]), ..Drained::default() };
    for _ in 0..2 {
        let again = state.drained(&lost(), at(0));
        assert_eq!(again, [Action::AskAgain { id, ask: Ask::Listed(users(&["bob"])) }]);
    }
    let actions = state.drained(&lost(), at(0));
    assert!(matches!(&actions[..], [Action::GiveUp(_), Action::Close(closing)] if *closing == busy()), "{actions:?}");
}

#[test]
fn a_login_that_is_refused_by_the_server_ends_the_connection_and_a_call_does_not() {
    for error in [MemberError::Store, MemberError::Away, EngineError::Busy.into()] {
        let actions = arriving().account_done(Err(error), at(0));
        assert!(matches!(&actions[..], [Action::Refuse(_), Action::Close(told)] if *told == busy()), "{actions:?}");
    }
    let actions = arriving().account_done(Err(EngineError::Stopped.into()), at(0));
    let leaving = CloseFrame::new(1001, "server shutting down");
    let [Action::Refuse(_), Action::Send(_), Action::Close(told)] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!(*told, leaving);
    let mut state = arriving();
    state.entered(name()).unwrap();
    state.drained(&completed(), at(0));
    says(&mut state, r#"{"jsonrpc":"2.0","id":2,"method":"unsubscribeUserStatus"}"#);
    let actions = state.account_done(Err(MemberError::Store), at(0));
    assert!(matches!(&actions[..], [Action::Refuse(_)]), "{actions:?}");
}
