//! Registry of the connections that belong to no user yet, so that a stop of the server closes them too.
//!
//! The engine finds the other connections through their users.

use hashbrown::HashSet;
use parking_lot::Mutex;

use crate::outbox::{Address, CloseRequest};

/// The connections that have not completed their handshake. Bounded by the number of connections that a server accepts,
/// and each stays a few seconds.
#[derive(Debug, Default)]
pub struct PendingConnections(Mutex<HashSet<Address>>);

impl PendingConnections {
    /// Adds a connection.
    pub fn add(&self, address: &Address) {
        self.0.lock().insert(address.clone());
    }

    /// Removes a connection.
    pub fn remove(&self, address: &Address) {
        self.0.lock().remove(address);
    }

    /// Closes all pending connections.
    pub fn close_all(&self, close_request: CloseRequest) {
        let pending: Vec<Address> = self.0.lock().iter().cloned().collect();
        pending.iter().for_each(|address| address.close(close_request.clone()));
    }
}
