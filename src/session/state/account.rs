//! What only sessions of accounts do: their logins, what they ask, and within which limits.

use std::collections::HashSet;
use std::sync::Arc;

use super::{Kind, Phase, State, UnderWay};
use bytestring::ByteString;

use crate::config::{LimitsConfig, SessionConfig, TencentConfig};
use crate::engine::{AccountError, EngineError};
use crate::outbox::{Failure, FailureReason, RequestTag};
use crate::presence::account::AccountName;
use crate::presence::diff::Snapshot;
use crate::presence::general::GeneralStatus;
use crate::presence::id::UserId;
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;
use crate::session::account::{
    AccountAction, AccountCall, AccountCommand, AccountRefusal, AccountReply, AccountRules, AccountStatus, Member,
};
use crate::session::action::Action;
use crate::session::command::Reply;
use crate::session::protocol::{CloseCause, Protocol};

impl State {
    /// A session that begins now, of nobody until an account logs in.
    pub fn of_accounts(
        protocol: &'static dyn Protocol,
        rules: Arc<AccountRules>,
        session: &SessionConfig,
        limits: &LimitsConfig,
        now: Timestamp,
    ) -> Self {
        let nobody = UserId::from_uuid(uuid::Uuid::nil());
        let member = Some(Box::new(Member::new(rules, now)));
        Self { member, ..Self::new(protocol, nobody, session, limits, now) }
    }

    pub(super) fn account(&mut self, tag: RequestTag, command: AccountCommand) -> Vec<Action> {
        match self.permit(command) {
            Ok(Permitted::Do(action)) => {
                self.under_way(tag, Kind::Account);
                vec![Action::Account(action)]
            }
            Ok(Permitted::Arrive(name, platform)) => {
                self.under_way(tag, Kind::Entering);
                let info = platform.map(|platform| serde_json::json!({ "platform": &*platform }).to_string().into());
                vec![Action::Account(AccountAction::Arrive { name, info })]
            }
            Ok(Permitted::SetCustom(name, text)) => self.set_custom(tag, name, text),
            Ok(Permitted::Reply(reply)) => vec![self.reply(&tag, &Reply::Account(reply))],
            Err(refusal) => vec![self.refuse_account(&tag, refusal)],
        }
    }

    /// What is to be done for a command, if it may be.
    fn permit(&self, command: AccountCommand) -> Result<Permitted, AccountRefusal> {
        // Only the dialect that has accounts has these commands.
        let member = self.member.as_ref().ok_or(AccountRefusal::NotLoggedIn)?;
        match (command, member.name()) {
            (AccountCommand::Heartbeat, _) => Ok(Permitted::Reply(AccountReply::Alive)),
            (AccountCommand::InvalidLogin(what), _) => Err(AccountRefusal::Invalid(what)),
            (AccountCommand::Login { .. }, Some(_)) => {
                Err(AccountRefusal::Invalid("somebody is logged in on this connection".into()))
            }
            (AccountCommand::Login { app, name, user_sig, platform }, None) => {
                member.check(app, &name, &user_sig)?;
                Ok(Permitted::Arrive(name, platform))
            }
            (AccountCommand::Call(_), None) => Err(AccountRefusal::NotLoggedIn),
            (AccountCommand::Call(call), Some(own)) => permit(call, own, member.config()),
        }
    }

    fn set_custom(&mut self, tag: RequestTag, name: AccountName, text: Option<StatusText>) -> Vec<Action> {
        let shown = text.as_ref().map_or("", StatusText::as_str).into();
        let status = AccountStatus { name, general: GeneralStatus::Online, text: shown };
        let done = self.protocol.reply(&tag, &Reply::Account(AccountReply::CustomSet(status)));
        let id = self.under_way(tag, Kind::SettingCustom(text.clone()));
        vec![Action::Account(AccountAction::SetCustom { id, text, done })]
    }

    fn refuse_account(&self, tag: &RequestTag, refusal: AccountRefusal) -> Action {
        self.reply(tag, &Reply::Account(AccountReply::Refused(refusal)))
    }

    /// The connection is a device of the account: what it follows is to be listed under this number and tag. None: the
    /// session has ended meanwhile.
    pub fn entered(&mut self, name: AccountName) -> Option<(u32, RequestTag)> {
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
    pub fn account_done(&mut self, result: Result<AccountReply, AccountError>, now: Timestamp) -> Vec<Action> {
        let Some(UnderWay { tag, kind, .. }) = self.under_way.take().filter(|_| self.phase == Phase::Open) else {
            return Vec::new();
        };
        let (reply, ends) = match result {
            Ok(AccountReply::LoggedOut) => (AccountReply::LoggedOut, Some(CloseCause::LoggedOut)),
            Ok(reply) => (reply, None),
            Err(error) => {
                let cause = matches!(kind, Kind::Entering).then(|| cause(&error));
                (AccountReply::Refused(refusal(&error, now)), cause)
            }
        };
        let mut actions = vec![self.reply(&tag, &Reply::Account(reply))];
        actions.extend(match ends {
            Some(cause) => self.close_because(cause, now),
            None => self.proceed(now),
        });
        actions
    }
}

/// What a command leads to.
enum Permitted {
    Do(AccountAction),
    Arrive(AccountName, Option<ByteString>),
    SetCustom(AccountName, Option<StatusText>),
    Reply(AccountReply),
}

/// What is to be done for a call of `own`, if it may be.
fn permit(call: AccountCall, own: &AccountName, limits: &TencentConfig) -> Result<Permitted, AccountRefusal> {
    Ok(Permitted::Do(match call {
        AccountCall::Logout => AccountAction::Depart,
        AccountCall::Invalid(what) => return Err(AccountRefusal::Invalid(what)),
        AccountCall::SetCustom(text) => {
            check_text(text.as_ref(), limits.custom_status_bytes)?;
            return Ok(Permitted::SetCustom(own.clone(), text));
        }
        AccountCall::Query(names) => {
            check_list(names.len(), limits.users_per_query)?;
            let counts = names.iter().any(|name| name.user() != own.user());
            check_switch(!counts || limits.status_notification && limits.allow_query_others)?;
            AccountAction::Query { names: each_once(names), counts }
        }
        AccountCall::Subscribe(names) => {
            check_list(names.len(), limits.users_per_subscribe)?;
            check_switch(limits.status_notification && limits.allow_subscribe)?;
            let (own, names): (Vec<_>, Vec<_>) =
                each_once(names).into_iter().partition(|name| name.user() == own.user());
            let oneself = |name| Failure { name, reason: FailureReason::Oneself };
            AccountAction::Subscribe { names, failures: own.into_iter().map(oneself).collect() }
        }
        AccountCall::Unsubscribe(names) => {
            names.as_ref().map_or(Ok(()), |names| check_list(names.len(), limits.users_per_subscribe))?;
            check_switch(limits.status_notification && limits.allow_subscribe)?;
            AccountAction::Unsubscribe(names.map(|names| names.iter().map(AccountName::user).collect()))
        }
    }))
}

fn refusal(error: &AccountError, now: Timestamp) -> AccountRefusal {
    match error {
        AccountError::TooOften(often) => {
            AccountRefusal::TooOften { limit: often.limit, retry_after: often.again.since(now) }
        }
        AccountError::TooMany(_) | AccountError::Engine(_) | AccountError::Store | AccountError::Away => {
            AccountRefusal::Busy
        }
    }
}

/// How a connection ends on which nobody could log in.
fn cause(error: &AccountError) -> CloseCause {
    match error {
        AccountError::Engine(EngineError::Stopped) => CloseCause::Drain,
        AccountError::Engine(EngineError::Busy | EngineError::Unavailable | EngineError::TooManyConnections)
        | AccountError::TooOften(_)
        | AccountError::TooMany(_)
        | AccountError::Store
        | AccountError::Away => CloseCause::Busy,
    }
}

/// What these show, by the names they were asked for.
pub fn statuses(names: Vec<AccountName>, snapshots: &[Snapshot]) -> Vec<AccountStatus> {
    let status = |(name, snapshot): (AccountName, &Snapshot)| AccountStatus {
        name,
        general: snapshot.general_status(),
        text: snapshot.text().into(),
    };
    names.into_iter().zip(snapshots).map(status).collect()
}

fn check_switch(on: bool) -> Result<(), AccountRefusal> {
    if on { Ok(()) } else { Err(AccountRefusal::SwitchedOff) }
}

fn check_list(length: usize, most: usize) -> Result<(), AccountRefusal> {
    match length {
        0 => Err(AccountRefusal::Invalid("userIDList: at least one is required".into())),
        _ if length > most => {
            Err(AccountRefusal::Invalid(format!("userIDList: {length} given, at most {most} a call").into()))
        }
        _ => Ok(()),
    }
}

fn check_text(text: Option<&StatusText>, most: usize) -> Result<(), AccountRefusal> {
    let length = text.map_or(0, |text| text.as_str().len());
    if length > most {
        return Err(AccountRefusal::Invalid(format!("customStatus: {length} bytes given, at most {most}").into()));
    }
    Ok(())
}

fn each_once(names: Vec<AccountName>) -> Vec<AccountName> {
    let mut seen = HashSet::new();
    names.into_iter().filter(|name| seen.insert(name.user())).collect()
}
