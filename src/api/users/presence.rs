//! Methods about connected users: `get_presence`, `connections`, `disconnect`.

use std::sync::Arc;

use super::last_seen::store_error;
use super::parameters::{CloseParameters, ConnectionsRequest, DisconnectRequest, GetPresenceRequest};
use super::results::{ConnectionBody, ConnectionsResult, EmptyResult, GetPresenceResult, PresenceBody};
use super::{Users, user, users};
use crate::api::{ApiError, ErrorKind};
use crate::engine::Selection;
use crate::outbox::CloseRequest;
use crate::presence::general_status::GeneralStatus;
use crate::presence::id::ConnectionId;
use crate::presence::last_seen::LastSeen;

/// Maximum number of users in one call of [`Users::get_presence`].
const MAX_PRESENCE_USERS: usize = 500;

/// Maximum number of connections in the whitelist of [`Users::disconnect`].
const MAX_WHITELIST: usize = 1000;

/// Close codes that an application may use (RFC 6455 section 7.4.2).
const CLOSE_CODES: std::ops::RangeInclusive<u16> = 3000..=4999;

/// Maximum length of the reason in a close frame, in bytes (RFC 6455 section 5.5).
const MAX_REASON_BYTES: usize = 123;

impl Users {
    /// Returns everything about each user, in the order of the request. Invisible connections are left out.
    pub async fn get_presence(&self, request: GetPresenceRequest) -> Result<GetPresenceResult, ApiError> {
        let users = users(&request.users, MAX_PRESENCE_USERS)?;
        let records = match &self.last_seen {
            Some(last_seen) => last_seen.read(users.clone()).await.map_err(store_error)?,
            None => vec![LastSeen::default(); users.len()],
        };
        let exits = self.members.exits(users.clone()).await?;
        let inspections = self.engine.inspect(users.clone()).await?;
        let presence = |((name, user), record): ((String, _), LastSeen)| {
            let inspection = inspections.get(&user);
            let devices = inspection.iter().flat_map(|inspection| &inspection.connections);
            let visible = devices.filter(|device| device.status.is_some());
            let connections = visible.map(|device| ConnectionBody::new(&name, device.clone())).collect();
            // The actor of a user without a visible connection may have retired. Then the last exit decides.
            let general = match inspection.map(|inspection| inspection.general) {
                Some(general @ (GeneralStatus::Online | GeneralStatus::Offline)) => general,
                Some(GeneralStatus::Unlogined) | None => GeneralStatus::of_absent(exits.get(&user).copied()),
            };
            PresenceBody::new(name, general, connections, &record)
        };
        Ok(GetPresenceResult { users: request.users.into_iter().zip(users).zip(records).map(presence).collect() })
    }

    /// Returns all connections of a user, including the invisible ones: the application's backend may know them.
    pub async fn connections(&self, request: ConnectionsRequest) -> Result<ConnectionsResult, ApiError> {
        let user = user(&request.user)?;
        let inspection = self.engine.inspect(vec![user]).await?.remove(&user);
        let devices = inspection.map(|inspection| inspection.connections).unwrap_or_default();
        let keyed = devices.into_iter().map(|device| {
            let mut connection = ConnectionBody::new(&request.user, device);
            (std::mem::take(&mut connection.client), connection)
        });
        Ok(ConnectionsResult { connections: keyed.collect() })
    }

    /// Closes connections of a user. A user without connections is not an error.
    pub async fn disconnect(&self, request: DisconnectRequest) -> Result<EmptyResult, ApiError> {
        let user = user(&request.user)?;
        let close_request = close_request(&request.disconnect)?;
        if !request.session.is_empty() {
            return Err(ApiError::new(ErrorKind::Disabled, "session: this server has no transport with sessions"));
        }
        if request.whitelist.len() > MAX_WHITELIST {
            return Err(ApiError::invalid(format!("whitelist: at most {MAX_WHITELIST} connections")));
        }
        let id = |text: &str| uuid::Uuid::try_parse(text).ok().map(ConnectionId::from_uuid);
        let only = match request.client.as_str() {
            "" => None,
            // Connection ids are UUIDs: no connection has an id of another form.
            text => match id(text) {
                Some(connection) => Some(connection),
                None => return Ok(EmptyResult {}),
            },
        };
        let except = request.whitelist.iter().filter_map(|text| id(text)).collect();
        self.engine.disconnect(user, Selection { only, except }, close_request).await?;
        Ok(EmptyResult {})
    }
}

fn close_request(frame: &CloseParameters) -> Result<CloseRequest, ApiError> {
    if frame.code == 0 {
        return Ok(CloseRequest::Disconnected);
    }
    let code = u16::try_from(frame.code).ok().filter(|code| CLOSE_CODES.contains(code));
    let code = code.ok_or_else(|| ApiError::invalid("disconnect.code: a close code from 3000 to 4999"))?;
    if frame.reason.len() > MAX_REASON_BYTES {
        return Err(ApiError::invalid(format!("disconnect.reason: at most {MAX_REASON_BYTES} bytes")));
    }
    // Centrifugo's clients treat a code as final only when it comes with a reason.
    let reason = if frame.reason.is_empty() { "force disconnect" } else { &frame.reason };
    Ok(CloseRequest::DisconnectWith(Arc::new((code, reason.into()))))
}
