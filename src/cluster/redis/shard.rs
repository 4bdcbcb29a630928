//! What the tasks of one configured Redis share.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::lease::Lease;
use super::pool::Pool;
use super::script::Scripts;
use crate::clock::Clock;
use crate::cluster::Listener;
use crate::cluster::keys::Keys;
use crate::cluster::outgoing::Outgoing;
use crate::cluster::slot::Bucket;
use crate::cluster::view::Table;
use crate::metrics::ClusterMetrics;
use crate::presence::id::UserId;

/// Seconds that an absent user's version and last exit are remembered: 31 days.
pub const REMEMBER: &str = "2678400";

/// One configured Redis.
pub struct Shard {
    pub pool: Pool,
    pub keys: Keys,
    pub scripts: Scripts,
    /// The buckets that are here.
    pub buckets: Vec<Bucket>,
    /// What Redis is to have of this node's users.
    pub local: Outgoing,
    /// What other nodes have; shared by all Redis.
    pub table: Arc<Table>,
    /// Takes orders.
    pub listener: Arc<dyn Listener>,
    /// How the lease here stands.
    pub lease: watch::Receiver<Arc<Lease>>,
    /// Has the lease renewed at once.
    pub poke: Arc<Notify>,
    /// Users to be read for the first time.
    pub wanted: Wanted,
    pub clock: Clock,
    pub metrics: ClusterMetrics,
    /// Events kept for nodes that missed some.
    pub log_length: usize,
}

impl Shard {
    /// How the lease stands.
    pub fn lease(&self) -> Arc<Lease> {
        self.lease.borrow().clone()
    }
}

/// Users to be read for the first time: each once, so no more than are watched.
#[derive(Default)]
pub struct Wanted {
    users: Mutex<HashSet<UserId>>,
    changed: Notify,
}

impl Wanted {
    /// Adds some.
    pub fn add(&self, users: impl IntoIterator<Item = UserId>) {
        self.users.lock().extend(users);
        self.changed.notify_one();
    }

    /// Takes some, as soon as there are any.
    pub async fn take(&self, most: usize) -> Vec<UserId> {
        loop {
            {
                let mut users = self.users.lock();
                let taken: Vec<UserId> = users.iter().take(most).copied().collect();
                taken.iter().for_each(|user| {
                    users.remove(user);
                });
                if !taken.is_empty() {
                    return taken;
                }
            }
            self.changed.notified().await;
        }
    }
}
