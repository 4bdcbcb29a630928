//! Has it told who comes and goes.

use std::net::IpAddr;
use std::sync::Arc;

use super::SessionActor;
use crate::engine::ConnectionHandle;
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;
use crate::session::connection_listener::{ClientInfo, ConnectionChange, ConnectionEvent};
use crate::session::state::Ending;

impl SessionActor {
    /// The client is there.
    pub fn arriving_from(mut self, ip: Option<IpAddr>) -> Self {
        let client = || Arc::new(ClientInfo { account: String::new(), info: None, ip });
        self.client = self.services.connection_listener.is_some().then(client);
        self
    }

    /// The connection is part of its user, if it is.
    pub(super) fn came(&mut self) {
        let (Some(connection_handle), Some(client)) = (&self.connection_handle, &self.client) else { return };
        let user = connection_handle.user();
        let name = self.address.announce().and_then(|connection| connection.username);
        let client = ClientInfo::new(self.address.dialect(), user, name, self.address.info(), client.ip);
        let client = Arc::new(client);
        self.client = Some(client.clone());
        self.notify_listener(user, client, ConnectionChange::Connected);
    }

    /// The connection is part of its user no longer.
    pub(super) fn went(&mut self, connection_handle: &ConnectionHandle) {
        let Some(client) = self.client.take() else { return };
        let change = match connection_handle.exit() {
            Exit::LoggedOut => ConnectionChange::LoggedOut,
            Exit::Lost => match self.state.ending() {
                Ending::Silent => ConnectionChange::TimedOut,
                Ending::Broken | Ending::Closed | Ending::Drained => ConnectionChange::Closed,
            },
        };
        self.notify_listener(connection_handle.user(), client, change);
    }

    fn notify_listener(&self, user: UserId, client: Arc<ClientInfo>, change: ConnectionChange) {
        if let Some(connection_listener) = &self.services.connection_listener {
            connection_listener.handle(ConnectionEvent { user, client, change, at: self.services.clock.time_of_day() });
        }
    }
}
