//! Reports the client's connect and disconnect to the [`connection_listener`](crate::session::connection_listener).

use std::sync::Arc;

use super::SessionActor;
use crate::engine::ConnectionHandle;
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;
use crate::session::connection_listener::{ClientInfo, ConnectionChange, ConnectionEvent};
use crate::session::peer::Peer;
use crate::session::state::close::SessionEnd;

impl SessionActor {
    /// Remembers where the client comes from: for records of refusals, and for the listener, if there is one.
    pub fn with_peer(mut self, peer: Peer) -> Self {
        let client = || Arc::new(ClientInfo { native_id: String::new(), info: None, ip: peer.ip });
        self.client = self.services.connection_listener.is_some().then(client);
        self.peer = peer;
        self
    }

    /// Reports the connect, if the connection is attached to its user.
    pub(super) fn report_connected(&mut self) {
        let (Some(connection_handle), Some(client)) = (&self.connection_handle, &self.client) else { return };
        let user = connection_handle.user();
        let name = self.outbox.address().announce().and_then(|connection| connection.username);
        let client =
            ClientInfo::new(self.outbox.address().dialect(), user, name, self.outbox.address().info(), client.ip);
        let client = Arc::new(client);
        self.client = Some(client.clone());
        self.notify_listener(user, client, ConnectionChange::Connected);
    }

    /// Reports that the connection is not attached to its user any more.
    pub(super) fn report_disconnected(&mut self, connection_handle: &ConnectionHandle) {
        let Some(client) = self.client.take() else { return };
        let change = match connection_handle.exit() {
            Exit::LoggedOut => ConnectionChange::LoggedOut,
            Exit::Lost => match self.state.end() {
                SessionEnd::PingTimeout => ConnectionChange::TimedOut,
                SessionEnd::Lost | SessionEnd::Closed | SessionEnd::Drained => ConnectionChange::Closed,
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
