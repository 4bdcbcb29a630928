//! Who is connected.

use std::sync::Arc;

use super::status::{UserStatus, unreadable};
use super::{Users, user, users};
use crate::api::{ApiError, ErrorKind};
use crate::engine::{Device, Selection};
use crate::outbox::CloseRequest;
use crate::presence::dialect::Dialect;
use crate::presence::general_status::{Exit, GeneralStatus};
use crate::presence::id::ConnectionId;
use crate::presence::last_seen::LastSeen;

/// The most users that [`Users::get_presence`] tells of at once.
const MAX_PRESENCE_USERS: usize = 500;

/// The most connections that [`Users::disconnect`] may be told to spare.
const MAX_WHITELIST: usize = 1000;

/// Close codes that an application may use (RFC 6455 section 7.4.2).
const CODES: std::ops::RangeInclusive<u16> = 3000..=4999;

/// The longest reason in a close frame, in bytes (RFC 6455 section 5.5).
const MAX_REASON_BYTES: usize = 123;

/// Everything about one user that another may know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserView {
    /// What is kept of it; `online` in here is when it was last online.
    pub last: UserStatus,
    /// Over all connections. An invisible user's is that of an absent one.
    pub general: GeneralStatus,
    /// The visible ones.
    pub connections: Vec<ConnectionInfo>,
}

/// One connection of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionInfo {
    /// Its id.
    pub client: String,
    /// Whose, as the caller calls it.
    pub user: String,
    /// The name it was opened with; empty: none.
    pub username: String,
    /// The world it comes from.
    pub dialect: Dialect,
    /// What it shows; none: it is invisible.
    pub status: Option<String>,
}

impl ConnectionInfo {
    fn new(user: &str, device: Device) -> Self {
        Self {
            client: device.connection.to_string(),
            user: user.to_owned(),
            username: device.username.map(|name| name.as_str().to_owned()).unwrap_or_default(),
            dialect: device.dialect,
            status: device.status.map(|status| status.as_str().to_owned()),
        }
    }
}

/// Whose connections are to be closed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disconnection {
    /// Whose.
    pub user: String,
    /// This one only; empty: all.
    pub client: String,
    /// A session of a transport that this server does not have.
    pub session: String,
    /// But not these.
    pub whitelist: Vec<String>,
    /// The close code; 0: the dialect's own code and reason.
    pub code: u32,
    /// The close reason; empty: what Centrifugo says.
    pub reason: String,
}

impl Disconnection {
    fn close_request(&self) -> Result<CloseRequest, ApiError> {
        if self.code == 0 {
            return Ok(CloseRequest::Disconnected);
        }
        let code = u16::try_from(self.code).ok().filter(|code| CODES.contains(code));
        let code = code.ok_or_else(|| ApiError::invalid("disconnect.code: a close code from 3000 to 4999"))?;
        if self.reason.len() > MAX_REASON_BYTES {
            return Err(ApiError::invalid(format!("disconnect.reason: at most {MAX_REASON_BYTES} bytes")));
        }
        // Centrifugo's clients take a code for final only where there is a reason.
        let reason = if self.reason.is_empty() { "force disconnect" } else { &self.reason };
        Ok(CloseRequest::DisconnectWith(Arc::new((code, reason.into()))))
    }
}

impl Users {
    /// Everything about each user, in the order asked. Invisible connections are as if they were not there.
    pub async fn get_presence(&self, names: Vec<String>) -> Result<Vec<UserView>, ApiError> {
        let users = users(&names, MAX_PRESENCE_USERS)?;
        let records = match &self.last_seen {
            Some(last_seen) => last_seen.read(users.clone()).await.map_err(unreadable)?,
            None => vec![LastSeen::default(); users.len()],
        };
        let exits = self.members.exits(users.clone()).await?;
        let found = self.engine.inspect(users.clone()).await?;
        let views = names.into_iter().zip(users).zip(records).map(|((name, user), record)| {
            let examined = found.get(&user);
            let visible = examined.iter().flat_map(|examined| &examined.devices).filter(|one| one.status.is_some());
            let connections = visible.map(|device| ConnectionInfo::new(&name, device.clone())).collect();
            let general = general(examined.map(|examined| examined.general), exits.get(&user).copied());
            UserView { connections, general, last: UserStatus::new(name, &record) }
        });
        Ok(views.collect())
    }

    /// All connections of a user, the invisible ones too: the application's backend may know them.
    pub async fn connections(&self, name: &str) -> Result<Vec<ConnectionInfo>, ApiError> {
        let user = user(name)?;
        let found = self.engine.inspect(vec![user]).await?.remove(&user);
        let devices = found.map(|examined| examined.devices).unwrap_or_default();
        Ok(devices.into_iter().map(|device| ConnectionInfo::new(name, device)).collect())
    }

    /// Has connections of a user closed. That there is none is no error.
    pub async fn disconnect(&self, which: &Disconnection) -> Result<(), ApiError> {
        let user = user(&which.user)?;
        let close_request = which.close_request()?;
        if !which.session.is_empty() {
            return Err(ApiError::new(ErrorKind::Disabled, "session: this server has no transport with sessions"));
        }
        if which.whitelist.len() > MAX_WHITELIST {
            return Err(ApiError::invalid(format!("whitelist: at most {MAX_WHITELIST} connections")));
        }
        let id = |text: &str| uuid::Uuid::try_parse(text).ok().map(ConnectionId::from_uuid);
        let only = match which.client.as_str() {
            "" => None,
            // No connection has an id that is no UUID.
            text => match id(text) {
                Some(connection) => Some(connection),
                None => return Ok(()),
            },
        };
        let except = which.whitelist.iter().filter_map(|text| id(text)).collect();
        Ok(self.engine.disconnect(user, Selection { only, except }, close_request).await?)
    }
}

/// A user whose actor has retired, or who has invisible connections only, is as it left.
fn general(found: Option<GeneralStatus>, exit: Option<Exit>) -> GeneralStatus {
    match (found.unwrap_or(GeneralStatus::Unlogined), exit) {
        (GeneralStatus::Unlogined, Some(Exit::Lost)) => GeneralStatus::Offline,
        (status @ (GeneralStatus::Online | GeneralStatus::Offline | GeneralStatus::Unlogined), _) => status,
    }
}
