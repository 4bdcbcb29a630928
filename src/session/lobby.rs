//! Connections that belong to no user yet, so that a stop of the server finds them too.

use hashbrown::HashSet;
use parking_lot::Mutex;

use crate::outbox::{Address, Farewell};

/// The connections that wait to be let in. Bounded by the connections that a server takes, each for a few seconds.
#[derive(Debug, Default)]
pub struct Lobby(Mutex<HashSet<Address>>);

impl Lobby {
    /// A connection waits.
    pub fn enter(&self, address: &Address) {
        self.0.lock().insert(address.clone());
    }

    /// It waits no longer.
    pub fn leave(&self, address: &Address) {
        self.0.lock().remove(address);
    }

    /// Has every connection closed that waits.
    pub fn close_all(&self, farewell: Farewell) {
        let waiting: Vec<Address> = self.0.lock().iter().cloned().collect();
        waiting.iter().for_each(|address| address.close(farewell.clone()));
    }
}
