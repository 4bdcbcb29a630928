//! How users left, as far as their logins and last-seen records tell.

use std::collections::HashMap;
use std::time::Duration;

use crate::presence::general_status::Exit;
use crate::presence::id::UserId;
use crate::presence::member_record::LoginState;
use crate::presence::time::Timestamp;

/// A user that was visible more than this after its logout has come back through another dialect. The logout itself
/// leaves a last-seen time that is no later.
const AFTER_LOGOUT: Duration = Duration::from_secs(5);

/// How users left. Users without a known end are absent.
pub type KnownExits = HashMap<UserId, Exit>;

/// Returns how a user left, from its logins and from the time when it was last visible in any dialect.
pub(super) fn exit(login_state: LoginState, online: Timestamp) -> Option<Exit> {
    match login_state {
        LoginState::In | LoginState::Lost(_) => Some(Exit::Lost),
        LoginState::LoggedOut(at) if online > at + AFTER_LOGOUT => Some(Exit::Lost),
        LoginState::LoggedOut(_) => Some(Exit::LoggedOut),
        LoginState::Never => (online > Timestamp::default()).then_some(Exit::Lost),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_that_was_visible_after_its_logout_is_lost() {
        let at = Timestamp::from_secs;
        assert_eq!(exit(LoginState::Never, at(0)), None);
        assert_eq!(exit(LoginState::Never, at(7)), Some(Exit::Lost), "in another dialect");
        assert_eq!(exit(LoginState::In, at(0)), Some(Exit::Lost));
        assert_eq!(exit(LoginState::LoggedOut(at(100)), at(101)), Some(Exit::LoggedOut), "its own end");
        assert_eq!(exit(LoginState::LoggedOut(at(100)), at(200)), Some(Exit::Lost));
    }
}
