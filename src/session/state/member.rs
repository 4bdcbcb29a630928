//! Rules of a session of a Tencent member: its start, the login, the calls and their limits.
//!
//! The login's deadline and the check of a userSig are in [`member_login`](crate::session::member_login).

use std::collections::HashSet;
use std::sync::Arc;

use bytestring::ByteString;

use super::in_flight::{InFlight, Operation};
use super::role::Role;
use super::{Phase, SessionState};
use crate::config::{LimitsConfig, SessionConfig, TencentConfig};
use crate::engine::EngineError;
use crate::members::MemberError;
use crate::outbox::RequestTag;
use crate::presence::diff::Snapshot;
use crate::presence::general_status::GeneralStatus;
use crate::presence::id::UserId;
use crate::presence::member_name::MemberName;
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;
use crate::session::action::Action;
use crate::session::command::Reply;
use crate::session::listing::{MemberFailure, MemberFailureReason};
use crate::session::member::{MemberAction, MemberCall, MemberCommand, MemberRefusal, MemberReply, MemberStatus};
use crate::session::member_login::{MemberLogin, MemberRules};
use crate::session::protocol::{CloseReason, Protocol};

impl SessionState {
    /// Starts a session that belongs to no user until a member logs in.
    pub fn for_member(
        protocol: &'static dyn Protocol,
        rules: Arc<MemberRules>,
        session: &SessionConfig,
        limits: &LimitsConfig,
        now: Timestamp,
    ) -> Self {
        let role = Role::Member(Box::new(MemberLogin::new(rules, now)));
        let own = UserId::from_uuid(uuid::Uuid::nil());
        Self::new(protocol, role, own, session, limits, now)
    }

    pub(super) fn member_command(&mut self, tag: RequestTag, command: MemberCommand) -> Vec<Action> {
        match self.decide(command) {
            Ok(MemberDecision::Act(action)) => {
                self.begin(tag, Operation::MemberCall);
                vec![Action::Member(action)]
            }
            Ok(MemberDecision::LogIn(name, platform)) => {
                self.begin(tag, Operation::LogIn);
                let info = platform.map(|platform| serde_json::json!({ "platform": &*platform }).to_string().into());
                vec![Action::Member(MemberAction::LogIn { name, info })]
            }
            Ok(MemberDecision::SetCustomStatus(name, text)) => self.set_custom_status(tag, name, text),
            Ok(MemberDecision::Reply(reply)) => vec![self.reply(&tag, &Reply::Member(reply))],
            Err(refusal) => vec![self.reply(&tag, &Reply::Member(MemberReply::Refused(refusal)))],
        }
    }

    fn decide(&self, command: MemberCommand) -> Result<MemberDecision, MemberRefusal> {
        // Only the dialect of members has these commands.
        let login = self.role.login().ok_or(MemberRefusal::NotLoggedIn)?;
        match (command, login.name()) {
            (MemberCommand::Heartbeat, _) => Ok(MemberDecision::Reply(MemberReply::Alive)),
            (MemberCommand::InvalidLogin(what), _) => Err(MemberRefusal::Invalid(what)),
            (MemberCommand::Login { .. }, Some(_)) => {
                Err(MemberRefusal::Invalid("somebody is logged in on this connection".into()))
            }
            (MemberCommand::Login { app, name, user_sig, platform }, None) => {
                login.verify(app, &name, &user_sig)?;
                Ok(MemberDecision::LogIn(name, platform))
            }
            (MemberCommand::Call(_), None) => Err(MemberRefusal::NotLoggedIn),
            (MemberCommand::Call(call), Some(own)) => decide_call(call, own, login.config()),
        }
    }

    fn set_custom_status(&mut self, tag: RequestTag, name: MemberName, text: Option<StatusText>) -> Vec<Action> {
        let shown = text.as_ref().map_or("", StatusText::as_str).into();
        let status = MemberStatus { name, general: GeneralStatus::Online, text: shown };
        let done = self.protocol.reply(&tag, &Reply::Member(MemberReply::CustomStatusSet(status)));
        let id = self.begin(tag, Operation::SetCustomStatus(text.clone()));
        vec![Action::Member(MemberAction::SetCustomStatus { id, text, done })]
    }

    /// Takes the result of [`MemberAction::LogIn`]: the connection is a device of the member. Returns the number and the
    /// tag of the request that lists what the member follows, or `None` if the session has ended meanwhile.
    pub fn member_logged_in(&mut self, name: MemberName) -> Option<(u32, RequestTag)> {
        let InFlight { tag, .. } = self.in_flight.take().filter(|_| self.phase == Phase::Open)?;
        self.role.login_mut()?.complete(name);
        Some((self.begin(tag.clone(), Operation::LogIn), tag))
    }

    /// Takes the result of [`MemberAction::Subscribe`]: the subscriptions are stored. Returns the number and the tag of
    /// the request that lists them, or `None` if the session has ended meanwhile.
    pub fn subscriptions_stored(&mut self) -> Option<(u32, RequestTag)> {
        let InFlight { tag, .. } = self.in_flight.take().filter(|_| self.phase == Phase::Open)?;
        Some((self.begin(tag.clone(), Operation::MemberCall), tag))
    }

    /// Takes the result of a [`MemberAction`]. A login that the server cannot execute ends the connection.
    pub fn member_call_done(&mut self, result: Result<MemberReply, MemberError>, now: Timestamp) -> Vec<Action> {
        let Some(InFlight { tag, operation, .. }) = self.in_flight.take().filter(|_| self.phase == Phase::Open) else {
            return Vec::new();
        };
        let (reply, close_reason) = match result {
            Ok(MemberReply::LoggedOut) => (MemberReply::LoggedOut, Some(CloseReason::LoggedOut)),
            Ok(reply) => (reply, None),
            Err(error) => {
                let close_reason = matches!(operation, Operation::LogIn).then(|| failed_login_reason(&error));
                (MemberReply::Refused(refusal(&error, now)), close_reason)
            }
        };
        let mut actions = vec![self.charged_reply(&tag, &Reply::Member(reply), now)];
        actions.extend(match close_reason {
            Some(reason) => self.close_because(reason, now),
            None => self.proceed(now),
        });
        actions
    }
}

/// What the session does about a permitted command.
enum MemberDecision {
    /// Start this action and wait for its result.
    Act(MemberAction),
    /// Log this member in, on this platform.
    LogIn(MemberName, Option<ByteString>),
    /// Set the custom status of this member.
    SetCustomStatus(MemberName, Option<StatusText>),
    /// Reply at once.
    Reply(MemberReply),
}

/// Checks a call of `own` against the limits and returns what to do.
fn decide_call(call: MemberCall, own: &MemberName, limits: &TencentConfig) -> Result<MemberDecision, MemberRefusal> {
    Ok(MemberDecision::Act(match call {
        MemberCall::Logout => MemberAction::LogOut,
        MemberCall::Invalid(what) => return Err(MemberRefusal::Invalid(what)),
        MemberCall::SetCustomStatus(text) => {
            check_text(text.as_ref(), limits.custom_status_bytes)?;
            return Ok(MemberDecision::SetCustomStatus(own.clone(), text));
        }
        MemberCall::Query(names) => {
            check_list(names.len(), limits.users_per_query)?;
            let names_others = names.iter().any(|name| name.user() != own.user());
            require_enabled(!names_others || limits.status_notification && limits.allow_query_others)?;
            MemberAction::Query { names: each_once(names), rate_limited: names_others }
        }
        MemberCall::Subscribe(names) => {
            check_list(names.len(), limits.users_per_subscribe)?;
            require_enabled(limits.status_notification && limits.allow_subscribe)?;
            let (own, names): (Vec<_>, Vec<_>) =
                each_once(names).into_iter().partition(|name| name.user() == own.user());
            let oneself = |name| MemberFailure { name, reason: MemberFailureReason::Oneself };
            MemberAction::Subscribe { names, failures: own.into_iter().map(oneself).collect() }
        }
        MemberCall::Unsubscribe(names) => {
            names.as_ref().map_or(Ok(()), |names| check_list(names.len(), limits.users_per_subscribe))?;
            require_enabled(limits.status_notification && limits.allow_subscribe)?;
            MemberAction::Unsubscribe(names.map(|names| names.iter().map(MemberName::user).collect()))
        }
    }))
}

fn refusal(error: &MemberError, now: Timestamp) -> MemberRefusal {
    match error {
        MemberError::TooOften(often) => {
            MemberRefusal::RateLimited { limit: often.limit, retry_after: often.again.since(now) }
        }
        MemberError::TooMany(_) | MemberError::Engine(_) | MemberError::Store | MemberError::Away => {
            MemberRefusal::Busy
        }
    }
}

/// Returns why a failed login closes the connection.
fn failed_login_reason(error: &MemberError) -> CloseReason {
    match error {
        MemberError::Engine(EngineError::Stopped) => CloseReason::Drain,
        MemberError::Engine(EngineError::Busy | EngineError::Unavailable | EngineError::TooManyConnections)
        | MemberError::TooOften(_)
        | MemberError::TooMany(_)
        | MemberError::Store
        | MemberError::Away => CloseReason::Busy,
    }
}

/// Returns the statuses that these snapshots show, under the names of the query.
pub fn statuses(names: Vec<MemberName>, snapshots: &[Snapshot]) -> Vec<MemberStatus> {
    let status = |(name, snapshot): (MemberName, &Snapshot)| MemberStatus {
        name,
        general: snapshot.general_status(),
        text: snapshot.text().into(),
    };
    names.into_iter().zip(snapshots).map(status).collect()
}

fn require_enabled(enabled: bool) -> Result<(), MemberRefusal> {
    if enabled { Ok(()) } else { Err(MemberRefusal::Disabled) }
}

fn check_list(length: usize, max: usize) -> Result<(), MemberRefusal> {
    match length {
        0 => Err(MemberRefusal::Invalid("userIDList: at least one is required".into())),
        _ if length > max => {
            Err(MemberRefusal::Invalid(format!("userIDList: {length} given, at most {max} a call").into()))
        }
        _ => Ok(()),
    }
}

fn check_text(text: Option<&StatusText>, max: usize) -> Result<(), MemberRefusal> {
    let length = text.map_or(0, |text| text.as_str().len());
    if length > max {
        return Err(MemberRefusal::Invalid(format!("customStatus: {length} bytes given, at most {max}").into()));
    }
    Ok(())
}

fn each_once(names: Vec<MemberName>) -> Vec<MemberName> {
    let mut seen = HashSet::new();
    names.into_iter().filter(|name| seen.insert(name.user())).collect()
}
