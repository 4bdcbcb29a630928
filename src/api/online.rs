//! Tencent Chat's `query_online_status`: an application's backend asks who is online.

use std::sync::Arc;

use super::platform::platform_in;
use crate::auth::user_sig::{UserSigError, UserSigs};
use crate::clock::Clock;
use crate::config::TencentConfig;
use crate::engine::Engine;
use crate::members::{MemberError, Members};
use crate::presence::dialect::Dialect;
use crate::presence::general_status::GeneralStatus;
use crate::presence::id::UserId;
use crate::presence::member_name::MemberName;

/// The operation `query_online_status`.
pub struct OnlineStatusQuery {
    /// Connections and their platforms.
    pub engine: Engine,
    /// Snapshots and logouts of users.
    pub members: Members,
    /// Verifies userSigs.
    pub user_sigs: Arc<UserSigs>,
    /// Names of the admins, and the maximum number of users in one query.
    pub config: TencentConfig,
    /// The time of day, with which userSigs expire.
    pub clock: Clock,
}

/// Credentials of a caller, not verified yet.
pub struct AdminCredentials<'a> {
    /// The SDKAppID, or `None` when it is not a number.
    pub app: Option<u64>,
    /// The userID, which must be that of an admin.
    pub identifier: &'a str,
    /// The userSig of the userID.
    pub user_sig: &'a str,
}

/// Why a query fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OnlineError {
    /// The userSig is not valid.
    #[error(transparent)]
    UserSig(#[from] UserSigError),
    /// The caller is not an admin.
    #[error("the identifier is no admin's")]
    NoAdmin,
    /// The body is not a query.
    #[error("the body is no JSON with To_Account")]
    Malformed,
    /// The query names no user, or too many.
    #[error("To_Account: from 1 to the most that one query may name")]
    Count,
    /// The server cannot answer now.
    #[error("the server is busy")]
    Busy,
}

impl OnlineError {
    /// Returns Tencent's number of the error.
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

/// What a query finds for one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnlineResult {
    /// No user has this name.
    Unknown(String),
    /// A user has this name.
    Known {
        /// The name as the query writes it.
        name: String,
        /// State over all devices.
        state: OnlineState,
        /// Custom status, or the newest status of a connection.
        text: String,
        /// Platforms of the visible connections.
        platforms: Vec<String>,
    },
}

/// Online state of a user in Tencent Chat's terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnlineState {
    /// A connection is visible.
    Online,
    /// The connections were lost, and the user did not log out.
    PushOnline,
    /// The user logged out, or was never online.
    Offline,
}

impl OnlineState {
    /// Returns Tencent's word for the state.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "Online",
            Self::PushOnline => "PushOnline",
            Self::Offline => "Offline",
        }
    }
}

impl From<GeneralStatus> for OnlineState {
    fn from(status: GeneralStatus) -> Self {
        match status {
            GeneralStatus::Online => Self::Online,
            GeneralStatus::Offline => Self::PushOnline,
            GeneralStatus::Unlogined => Self::Offline,
        }
    }
}

impl OnlineStatusQuery {
    /// Checks that the caller is an admin.
    pub fn authorize(&self, caller: &AdminCredentials<'_>) -> Result<(), OnlineError> {
        let app = caller.app.ok_or(UserSigError::OtherApp)?;
        let name = MemberName::of_tencent(caller.identifier).map_err(|_| UserSigError::OtherUser)?;
        self.user_sigs.verify(app, &name, caller.user_sig, self.clock.time_of_day())?;
        if self.config.admins.contains(name.as_str()) { Ok(()) } else { Err(OnlineError::NoAdmin) }
    }

    /// Returns the state of each user, in the order of the query.
    pub async fn query(&self, texts: &[String]) -> Result<Vec<OnlineResult>, OnlineError> {
        if !(1..=self.config.users_per_query).contains(&texts.len()) {
            return Err(OnlineError::Count);
        }
        let names: Vec<Option<MemberName>> = texts.iter().map(|text| MemberName::of_tencent(text).ok()).collect();
        let users: Vec<UserId> = names.iter().flatten().map(MemberName::user).collect();
        let busy = |error: MemberError| {
            log::warn!("a query for online statuses failed: {error}");
            OnlineError::Busy
        };
        let exits = self.members.exits(users.clone()).await.map_err(busy)?;
        let snapshots = self.members.views(None, &users, &exits).await.map_err(|error| busy(error.into()))?;
        let inspections = self.engine.inspect(users).await.map_err(|error| busy(error.into()))?;
        let mut snapshots = snapshots.into_iter();
        let results = texts.iter().zip(names).map(|(text, name)| {
            let unknown = || OnlineResult::Unknown(text.clone());
            let Some(snapshot) = name.and_then(|_| snapshots.next()) else { return unknown() };
            if self.members.is_strict() && !snapshot.is_known() {
                return unknown();
            }
            let devices = inspections.get(&snapshot.user).into_iter().flat_map(|inspection| &inspection.connections);
            let visible = devices.filter(|device| device.status.is_some());
            OnlineResult::Known {
                name: text.clone(),
                state: snapshot.general_status().into(),
                text: snapshot.text().to_owned(),
                platforms: visible.map(|device| platform(device.dialect, device.info.as_deref())).collect(),
            }
        });
        Ok(results.collect())
    }
}

/// Returns the platform that the client names, or a word for its dialect.
fn platform(dialect: Dialect, info: Option<&str>) -> String {
    info.and_then(platform_in).unwrap_or_else(|| match dialect {
        Dialect::Nakama => "Nakama".into(),
        Dialect::Centrifugo => "Centrifugo".into(),
        Dialect::Tencent => "Unknown".into(),
    })
}
