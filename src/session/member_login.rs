//! The login of a Tencent member on one connection: its deadline, and how a userSig is checked.
//!
//! The commands of a member are in [`member`](super::member), the rules that use this page in
//! [`state::member`](super::state::member).

use std::sync::Arc;

use super::member::MemberRefusal;
use super::protocol::CloseReason;
use super::tick_outcome::TickOutcome;
use crate::auth::user_sig::{UserSigError, UserSigs};
use crate::clock::Clock;
use crate::config::TencentConfig;
use crate::presence::member_name::MemberName;
use crate::presence::time::Timestamp;

/// Limits and checks for all sessions of members.
pub struct MemberRules {
    /// Verifies userSigs.
    pub user_sigs: Arc<UserSigs>,
    /// Limits and switches.
    pub config: TencentConfig,
    /// The time of day, which userSigs are dated by.
    pub clock: Clock,
}

/// Tracks whether a member is logged in on a connection.
pub struct MemberLogin {
    rules: Arc<MemberRules>,
    /// The member that is logged in. `None` before the login.
    name: Option<MemberName>,
    /// The connection closes at this time if no member has logged in.
    login_by: Timestamp,
}

impl MemberLogin {
    /// Waits for a login.
    pub fn new(rules: Arc<MemberRules>, now: Timestamp) -> Self {
        let login_by = now + rules.config.login_timeout.0;
        Self { rules, name: None, login_by }
    }

    /// Returns the limits and switches.
    pub fn config(&self) -> &TencentConfig {
        &self.rules.config
    }

    /// Returns the member that is logged in.
    pub fn name(&self) -> Option<&MemberName> {
        self.name.as_ref()
    }

    /// Checks that this userSig authenticates the member.
    pub fn verify(&self, app: u64, name: &MemberName, user_sig: &str) -> Result<(), MemberRefusal> {
        let time_of_day = self.rules.clock.time_of_day();
        self.rules.user_sigs.verify(app, name, user_sig, time_of_day).map_err(|error| match error {
            UserSigError::Expired => MemberRefusal::Expired,
            UserSigError::Invalid => MemberRefusal::BadSignature,
            UserSigError::OtherUser => MemberRefusal::OtherUser,
            UserSigError::OtherApp => MemberRefusal::OtherApp,
        })
    }

    /// Notes that this member is logged in.
    pub fn complete(&mut self, name: MemberName) {
        self.name = Some(name);
    }

    /// Returns what is due: the end of a connection on which no member has logged in.
    pub fn tick(&self, now: Timestamp) -> TickOutcome {
        match self.deadline() {
            Some(deadline) if deadline <= now => TickOutcome::Close(CloseReason::HandshakeTimeout),
            Some(_) | None => TickOutcome::CheckKeepalive,
        }
    }

    /// Returns the time until which a member has to log in, or `None` after the login.
    pub fn deadline(&self) -> Option<Timestamp> {
        self.name.is_none().then_some(self.login_by)
    }
}
