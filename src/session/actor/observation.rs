//! What metrics and logs see of a connection: its refusals and its end.

use super::SessionActor;
use crate::engine::ConnectionHandle;
use crate::metrics::ConnectionEnd;
use crate::refusals::RefusedClient;

impl SessionActor {
    /// Records the refusals of the state machine. Must precede the actions, which may release the user.
    pub(super) fn record_refusals(&mut self) {
        for reason in self.state.take_refusals() {
            let client = RefusedClient {
                origin: self.peer.origin.as_deref(),
                user: self.connection_handle.as_ref().map(ConnectionHandle::user),
                address: self.peer.ip,
            };
            self.services.refusals.record(self.outbox.address().dialect(), reason, client);
        }
    }

    /// Counts the end of the connection, the first one that is noticed.
    pub(super) fn record_end(&mut self, end: ConnectionEnd) {
        if !std::mem::replace(&mut self.end_recorded, true) {
            self.services.metrics.refusals().close(self.outbox.address().dialect(), end);
        }
    }
}
