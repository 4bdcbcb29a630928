//! Who is online, as an application's backend asks it in Tencent Chat's manner.

use std::sync::Arc;

use serde::Deserialize;

use crate::auth::user_sig::{UserSigError, UserSigs};
use crate::clock::Clock;
use crate::config::TencentConfig;
use crate::engine::Engine;
use crate::members::{MemberError, Members};
use crate::presence::dialect::Dialect;
use crate::presence::general_status::GeneralStatus;
use crate::presence::id::UserId;
use crate::presence::member_name::MemberName;

/// The operation.
pub struct Online {
    /// Who is connected.
    pub engine: Engine,
    /// What lasts of accounts.
    pub members: Members,
    /// Reads userSigs.
    pub user_sigs: Arc<UserSigs>,
    /// Who may ask, and for how many.
    pub config: TencentConfig,
    /// The time of day, by which userSigs are dated.
    pub clock: Clock,
}

/// Who calls, by its own word.
pub struct Caller<'a> {
    /// The SDKAppID.
    pub app: Option<u64>,
    /// The userID, which has to be an admin's.
    pub identifier: &'a str,
    /// Its userSig.
    pub user_sig: &'a str,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OnlineError {
    /// The userSig lets nobody in.
    #[error(transparent)]
    UserSig(#[from] UserSigError),
    /// Only admins may ask.
    #[error("the identifier is no admin's")]
    NoAdmin,
    /// The body is not what is to be sent.
    #[error("the body is no JSON with To_Account")]
    Malformed,
    /// Nobody, or too many, are asked for.
    #[error("To_Account: from 1 to the most that one query may name")]
    Count,
    /// The server cannot answer at the moment.
    #[error("the server is busy")]
    Busy,
}

impl OnlineError {
    /// Tencent's number.
    pub fn code(self) -> u32 {
        match self {
            Self::UserSig(UserSigError::Expired) => 70_001,
            Self::UserSig(UserSigError::Invalid) => 70_003,
            Self::UserSig(UserSigError::OtherUser) => 70_013,
            Self::UserSig(UserSigError::OtherApp) => 70_014,
            Self::NoAdmin => 60_010,
            Self::Malformed => 90_001,
            Self::Count => 90_011,
            Self::Busy => 60_008,
        }
    }
}

/// What is known of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// There is none of this name.
    Unknown(String),
    /// There is.
    Known {
        /// As it was asked for.
        name: String,
        /// Over all devices.
        status: OnlineState,
        /// What it says of itself.
        text: String,
        /// Of the visible connections.
        platforms: Vec<String>,
    },
}

/// How an account can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnlineState {
    /// It is here.
    Online,
    /// It was lost and has not logged out.
    PushOnline,
    /// It is logged out, or never came.
    Offline,
}

impl OnlineState {
    /// Tencent's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Online => "Online",
            Self::PushOnline => "PushOnline",
            Self::Offline => "Offline",
        }
    }
}

#[derive(Deserialize)]
struct Info {
    platform: String,
}

impl Online {
    /// Whether the caller may ask.
    pub fn admit(&self, caller: &Caller<'_>) -> Result<(), OnlineError> {
        let app = caller.app.ok_or(UserSigError::OtherApp)?;
        let name = MemberName::new(caller.identifier).map_err(|_| UserSigError::OtherUser)?;
        self.user_sigs.verify(app, &name, caller.user_sig, self.clock.time_of_day())?;
        if self.config.admins.has(name.as_str()) { Ok(()) } else { Err(OnlineError::NoAdmin) }
    }

    /// What is known of these accounts, in the order asked.
    pub async fn query(&self, texts: &[String]) -> Result<Vec<Found>, OnlineError> {
        if !(1..=self.config.users_per_query).contains(&texts.len()) {
            return Err(OnlineError::Count);
        }
        let names: Vec<Option<MemberName>> = texts.iter().map(|text| MemberName::new(text).ok()).collect();
        let users: Vec<UserId> = names.iter().flatten().map(MemberName::user).collect();
        let busy = |error: MemberError| {
            log::warn!("a query for online statuses is not answered: {error}");
            OnlineError::Busy
        };
        let exits = self.members.exits(users.clone()).await.map_err(busy)?;
        let shown = self.members.views(None, &users, &exits).await.map_err(|error| busy(error.into()))?;
        let devices = self.engine.inspect(users).await.map_err(|error| busy(error.into()))?;
        let mut shown = shown.into_iter();
        let found = texts.iter().zip(names).map(|(text, name)| {
            let unknown = || Found::Unknown(text.clone());
            let Some(snapshot) = name.and_then(|_| shown.next()) else { return unknown() };
            if self.members.is_strict() && !snapshot.is_known() {
                return unknown();
            }
            let visible = devices.get(&snapshot.user).into_iter().flat_map(|examined| &examined.devices);
            let platforms = visible.filter(|device| device.status.is_some());
            Found::Known {
                name: text.clone(),
                status: match snapshot.general_status() {
                    GeneralStatus::Online => OnlineState::Online,
                    GeneralStatus::Offline => OnlineState::PushOnline,
                    GeneralStatus::Unlogined => OnlineState::Offline,
                },
                text: snapshot.text().to_owned(),
                platforms: platforms.map(|device| platform(device.dialect, device.info.as_deref())).collect(),
            }
        });
        Ok(found.collect())
    }
}

fn platform(dialect: Dialect, info: Option<&str>) -> String {
    let said = info.and_then(|info| serde_json::from_str(info).ok()).map(|info: Info| info.platform);
    said.unwrap_or_else(|| match dialect {
        Dialect::Nakama => "Nakama".into(),
        Dialect::Centrifugo => "Centrifugo".into(),
        Dialect::Tencent => "Unknown".into(),
    })
}
