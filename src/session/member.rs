//! What a session can be asked on behalf of an account, and is answered: the API of Tencent Chat's user status.

use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;

use crate::auth::user_sig::{UserSigError, UserSigs};
use crate::clock::Clock;
use crate::config::TencentConfig;
use crate::outbox::{Failure, Frames};
use crate::presence::general_status::GeneralStatus;
use crate::presence::id::UserId;
use crate::presence::member_name::MemberName;
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;

/// What an account can ask. Well-formed: a dialect refuses the rest by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberCommand {
    /// Let the account in.
    Login {
        /// The SDKAppID.
        app: u64,
        /// The userID.
        name: MemberName,
        /// The userSig.
        user_sig: ByteString,
        /// What the client runs on.
        platform: Option<ByteString>,
    },
    /// A login with a parameter that cannot be; what is wrong with it.
    InvalidLogin(ByteString),
    /// A sign of life.
    Heartbeat,
    /// What only who is logged in can ask.
    Call(MemberCall),
}

/// What only who is logged in can ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberCall {
    /// Goodbye.
    Logout,
    /// Show this text on all devices.
    SetCustomStatus(Option<StatusText>),
    /// Say what these show.
    Query(Vec<MemberName>),
    /// Say what these show, and every change from here on, on all devices.
    Subscribe(Vec<MemberName>),
    /// Tell no more of these, or of nobody.
    Unsubscribe(Option<Vec<MemberName>>),
    /// A call with a parameter that cannot be; what is wrong with it.
    Invalid(ByteString),
}

/// The answers. Logins and subscriptions are answered by the outbox, with snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberReply {
    /// To a heartbeat.
    Alive,
    /// Goodbye.
    LoggedOut,
    /// What the account shows from here on.
    CustomStatusSet(MemberStatus),
    /// In the order asked.
    Statuses(Vec<MemberStatus>, Vec<Failure>),
    /// Done.
    Unsubscribed,
    /// It is not done, and nothing has changed.
    Refused(MemberRefusal),
}

/// What a user shows, as accounts see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberStatus {
    /// By the asker's name.
    pub name: MemberName,
    /// Over all connections.
    pub general: GeneralStatus,
    /// May be empty.
    pub text: ByteString,
}

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberRefusal {
    /// Nobody has logged in here.
    NotLoggedIn,
    /// A parameter is wrong: which, and how.
    Invalid(ByteString),
    /// The account makes more calls of this kind than it may.
    RateLimited {
        /// The calls allowed in a window; that many have been made.
        limit: usize,
        /// When the next will be taken.
        retry_after: Duration,
    },
    /// The userSig is past its time.
    Expired,
    /// The userSig is none of ours.
    BadSignature,
    /// The userSig is another user's.
    OtherUser,
    /// It is not our app.
    OtherApp,
    /// It is switched off.
    Disabled,
    /// The server cannot take it at the moment.
    Busy,
}

/// What a session's actor has to do for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberAction {
    /// Make the connection a device of the account and come back with [`State::entered`](super::state::State::entered).
    Arrive {
        /// The account.
        name: MemberName,
        /// What others may know of the connection: JSON.
        info: Option<ByteString>,
    },
    /// Have the outbox wait for the own user and send `done`, then set the text.
    SetCustomStatus {
        /// The request's number.
        id: u32,
        /// What to show.
        text: Option<StatusText>,
        /// The answer.
        done: Frames,
    },
    /// Ask what these show; `counts`: within the calls that the account may make.
    Query {
        /// In the order asked, each once.
        names: Vec<MemberName>,
        /// Others are among them.
        counts: bool,
    },
    /// Subscribe and come back with [`State::listing`](super::state::State::listing).
    Subscribe {
        /// In the order asked, each once.
        names: Vec<MemberName>,
        /// Who cannot be subscribed to.
        failures: Vec<Failure>,
    },
    /// End these subscriptions, or all.
    Unsubscribe(Option<Vec<UserId>>),
    /// Write down that the account leaves.
    Depart,
}

/// What accounts are held to. One for all sessions.
pub struct MemberRules {
    /// Reads userSigs.
    pub user_sigs: Arc<UserSigs>,
    /// Limits and switches.
    pub config: TencentConfig,
    /// The time of day, by which userSigs are dated.
    pub clock: Clock,
}

/// Who is at the other end of a session of the dialect that has accounts.
pub struct Member {
    rules: Arc<MemberRules>,
    /// Once logged in.
    name: Option<MemberName>,
    /// Until when somebody has to log in.
    login_by: Timestamp,
}

impl Member {
    /// Nobody yet.
    pub fn new(rules: Arc<MemberRules>, now: Timestamp) -> Self {
        let login_by = now + rules.config.heartbeat_timeout.0;
        Self { rules, name: None, login_by }
    }

    /// Limits and switches.
    pub fn config(&self) -> &TencentConfig {
        &self.rules.config
    }

    /// Who is logged in.
    pub fn name(&self) -> Option<&MemberName> {
        self.name.as_ref()
    }

    /// Whether this userSig lets the account in.
    pub fn check(&self, app: u64, name: &MemberName, user_sig: &str) -> Result<(), MemberRefusal> {
        let Self { rules, .. } = self;
        let verified = rules.user_sigs.verify(app, name, user_sig, rules.clock.time_of_day());
        verified.map_err(|error| match error {
            UserSigError::Expired => MemberRefusal::Expired,
            UserSigError::Invalid => MemberRefusal::BadSignature,
            UserSigError::OtherUser => MemberRefusal::OtherUser,
            UserSigError::OtherApp => MemberRefusal::OtherApp,
        })
    }

    /// The account is in.
    pub fn enter(&mut self, name: MemberName) {
        self.name = Some(name);
    }

    /// When the connection ends unless somebody logs in; none: somebody has.
    pub fn login_by(&self) -> Option<Timestamp> {
        self.name.is_none().then_some(self.login_by)
    }
}
