//! What only sessions of accounts do: their logins, what they ask, and within which limits.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Kind, Phase, State, UnderWay};
use bytestring::ByteString;

use crate::config::{LimitsConfig, SessionConfig, TencentConfig};
use crate::engine::EngineError;
use crate::members::MemberError;
use crate::outbox::{Failure, FailureReason, RequestTag};
use crate::presence::diff::Snapshot;
use crate::presence::general_status::GeneralStatus;
use crate::presence::id::UserId;
use crate::presence::member_name::MemberName;
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;
use crate::session::action::Action;
use crate::session::command::Reply;
use crate::session::member::{
    Member, MemberAction, MemberCall, MemberCommand, MemberRefusal, MemberReply, MemberRules, MemberStatus,
};
use crate::session::protocol::{CloseReason, Protocol};

impl State {
    /// A session that begins now, of nobody until an account logs in.
    pub fn of_accounts(
        protocol: &'static dyn Protocol,
        rules: Arc<MemberRules>,
        session: &SessionConfig,
        limits: &LimitsConfig,
        now: Timestamp,
    ) -> Self {
        let nobody = UserId::from_uuid(uuid::Uuid::nil());
        let member = Some(Box::new(Member::new(rules, now)));
        Self { member, ..Self::new(protocol, nobody, session, limits, now) }
    }

    pub(super) fn account(&mut self, tag: RequestTag, command: MemberCommand) -> Vec<Action> {
        match self.permit(command) {
            Ok(Permitted::Do(action)) => {
                self.under_way(tag, Kind::Account);
                vec![Action::Member(action)]
            }
            Ok(Permitted::Arrive(name, platform)) => {
                self.under_way(tag, Kind::Entering);
                let info = platform.map(|platform| serde_json::json!({ "platform": &*platform }).to_string().into());
                vec![Action::Member(MemberAction::Arrive { name, info })]
            }
            Ok(Permitted::SetCustom(name, text)) => self.set_custom(tag, name, text),
            Ok(Permitted::Reply(reply)) => vec![self.reply(&tag, &Reply::Member(reply))],
            Err(refusal) => vec![self.refuse_account(&tag, refusal)],
        }
    }

    /// What is to be done for a command, if it may be.
    fn permit(&self, command: MemberCommand) -> Result<Permitted, MemberRefusal> {
        // Only the dialect that has accounts has these commands.
        let member = self.member.as_ref().ok_or(MemberRefusal::NotLoggedIn)?;
        match (command, member.name()) {
            (MemberCommand::Heartbeat, _) => Ok(Permitted::Reply(MemberReply::Alive)),
            (MemberCommand::InvalidLogin(what), _) => Err(MemberRefusal::Invalid(what)),
            (MemberCommand::Login { .. }, Some(_)) => {
                Err(MemberRefusal::Invalid("somebody is logged in on this connection".into()))
            }
            (MemberCommand::Login { app, name, user_sig, platform }, None) => {
                member.check(app, &name, &user_sig)?;
                Ok(Permitted::Arrive(name, platform))
            }
            (MemberCommand::Call(_), None) => Err(MemberRefusal::NotLoggedIn),
            (MemberCommand::Call(call), Some(own)) => permit(call, own, member.config()),
        }
    }

    fn set_custom(&mut self, tag: RequestTag, name: MemberName, text: Option<StatusText>) -> Vec<Action> {
        let shown = text.as_ref().map_or("", StatusText::as_str).into();
        let status = MemberStatus { name, general: GeneralStatus::Online, text: shown };
        let done = self.protocol.reply(&tag, &Reply::Member(MemberReply::CustomStatusSet(status)));
        let id = self.under_way(tag, Kind::SettingCustom(text.clone()));
        vec![Action::Member(MemberAction::SetCustomStatus { id, text, done })]
    }

    fn refuse_account(&self, tag: &RequestTag, refusal: MemberRefusal) -> Action {
        self.reply(tag, &Reply::Member(MemberReply::Refused(refusal)))
    }

    /// The connection is a device of the account: what it follows is to be listed under this number and tag. None: the
    /// session has ended meanwhile.
    pub fn entered(&mut self, name: MemberName) -> Option<(u32, RequestTag)> {
        let under_way = self.under_way.take().filter(|_| self.phase == Phase::Open)?;
        self.member.as_mut()?.enter(name);
        Some(self.begin_listing(under_way.tag, Kind::Entering))
    }

    /// The subscriptions are written down: whom they concern is to be listed under this number and tag. None: the session
    /// has ended meanwhile.
    pub fn listing(&mut self) -> Option<(u32, RequestTag)> {
        let under_way = self.under_way.take().filter(|_| self.phase == Phase::Open)?;
        Some(self.begin_listing(under_way.tag, Kind::Account))
    }

    fn begin_listing(&mut self, tag: RequestTag, kind: Kind) -> (u32, RequestTag) {
        (self.under_way(tag.clone(), kind), tag)
    }

    /// What was asked for is there, or is refused. A login that the server cannot take ends the connection.
    pub fn account_done(&mut self, result: Result<MemberReply, MemberError>, now: Timestamp) -> Vec<Action> {
        let Some(UnderWay { tag, kind, .. }) = self.under_way.take().filter(|_| self.phase == Phase::Open) else {
            return Vec::new();
        };
        let (reply, ends) = match result {
            Ok(MemberReply::LoggedOut) => (MemberReply::LoggedOut, Some(CloseReason::LoggedOut)),
            Ok(reply) => (reply, None),
            Err(error) => {
                let cause = matches!(kind, Kind::Entering).then(|| cause(&error));
                (MemberReply::Refused(refusal(&error, now)), cause)
            }
        };
        let mut actions = vec![self.reply(&tag, &Reply::Member(reply))];
        actions.extend(match ends {
            Some(cause) => self.close_because(cause, now),
            None => self.proceed(now),
        });
        actions
    }
}

/// What a command leads to.
enum Permitted {
    Do(MemberAction),
    Arrive(MemberName, Option<ByteString>),
    SetCustom(MemberName, Option<StatusText>),
    Reply(MemberReply),
}

/// What is to be done for a call of `own`, if it may be.
fn permit(call: MemberCall, own: &MemberName, limits: &TencentConfig) -> Result<Permitted, MemberRefusal> {
    Ok(Permitted::Do(match call {
        MemberCall::Logout => MemberAction::Depart,
        MemberCall::Invalid(what) => return Err(MemberRefusal::Invalid(what)),
        MemberCall::SetCustomStatus(text) => {
            check_text(text.as_ref(), limits.custom_status_bytes)?;
            return Ok(Permitted::SetCustom(own.clone(), text));
        }
        MemberCall::Query(names) => {
            check_list(names.len(), limits.users_per_query)?;
            let counts = names.iter().any(|name| name.user() != own.user());
            check_switch(!counts || limits.status_notification && limits.allow_query_others)?;
            MemberAction::Query { names: each_once(names), counts }
        }
        MemberCall::Subscribe(names) => {
            check_list(names.len(), limits.users_per_subscribe)?;
            check_switch(limits.status_notification && limits.allow_subscribe)?;
            let (own, names): (Vec<_>, Vec<_>) =
                each_once(names).into_iter().partition(|name| name.user() == own.user());
            let oneself = |name| Failure { name, reason: FailureReason::Oneself };
            MemberAction::Subscribe { names, failures: own.into_iter().map(oneself).collect() }
        }
        MemberCall::Unsubscribe(names) => {
            names.as_ref().map_or(Ok(()), |names| check_list(names.len(), limits.users_per_subscribe))?;
            check_switch(limits.status_notification && limits.allow_subscribe)?;
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

/// How a connection ends on which nobody could log in.
fn cause(error: &MemberError) -> CloseReason {
    match error {
        MemberError::Engine(EngineError::Stopped) => CloseReason::Drain,
        MemberError::Engine(EngineError::Busy | EngineError::Unavailable | EngineError::TooManyConnections)
        | MemberError::TooOften(_)
        | MemberError::TooMany(_)
        | MemberError::Store
        | MemberError::Away => CloseReason::Busy,
    }
}

/// What these show, by the names they were asked for.
pub fn statuses(names: Vec<MemberName>, snapshots: &[Snapshot]) -> Vec<MemberStatus> {
    let status = |(name, snapshot): (MemberName, &Snapshot)| MemberStatus {
        name,
        general: snapshot.general_status(),
        text: snapshot.text().into(),
    };
    names.into_iter().zip(snapshots).map(status).collect()
}

fn check_switch(on: bool) -> Result<(), MemberRefusal> {
    if on { Ok(()) } else { Err(MemberRefusal::Disabled) }
}

fn check_list(length: usize, most: usize) -> Result<(), MemberRefusal> {
    match length {
        0 => Err(MemberRefusal::Invalid("userIDList: at least one is required".into())),
        _ if length > most => {
            Err(MemberRefusal::Invalid(format!("userIDList: {length} given, at most {most} a call").into()))
        }
        _ => Ok(()),
    }
}

fn check_text(text: Option<&StatusText>, most: usize) -> Result<(), MemberRefusal> {
    let length = text.map_or(0, |text| text.as_str().len());
    if length > most {
        return Err(MemberRefusal::Invalid(format!("customStatus: {length} bytes given, at most {most}").into()));
    }
    Ok(())
}

fn each_once(names: Vec<MemberName>) -> Vec<MemberName> {
    let mut last_seen = HashSet::new();
    names.into_iter().filter(|name| last_seen.insert(name.user())).collect()
}
