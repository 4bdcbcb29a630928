//! Connections that belong to no user yet, so that a stop of the server finds them too.

use hashbrown::HashSet;
use parking_lot::Mutex;

use crate::outbox::{Address, CloseRequest};

/// The connections that wait to be let in. Bounded by the connections that a server takes, each for a few seconds.
#[derive(Debug, Default)]
pub struct PendingConnections(Mutex<HashSet<Address>>);

impl PendingConnections {
    /// A connection waits.
    pub fn enter(&self, address: &Address) {
        self.0.lock().insert(address.clone());
    }

    /// It waits no longer.
    pub fn leave(&self, address: &Address) {
        self.0.lock().remove(address);
    }

    /// Has every connection closed that waits.
    pub fn close_all(&self, close_request: CloseRequest) {
        let waiting: Vec<Address> = self.0.lock().iter().cloned().collect();
        waiting.iter().for_each(|address| address.close(close_request.clone()));
    }
}
