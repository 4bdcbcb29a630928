//! The state that the tasks of one configured Redis share.

use std::collections::HashSet;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::lease::Lease;
use super::scripts::BackplaneScripts;
use crate::clock::Clock;
use crate::cluster::Listener;
use crate::cluster::outgoing::OutgoingRecords;
use crate::cluster::view::RemoteView;
use crate::metrics::ClusterMetrics;
use crate::presence::id::UserId;
use crate::redis::keys::RedisKeys;
use crate::redis::pool::Pool;
use crate::redis::slots::{Bucket, Slot};

/// Seconds for which Redis keeps the version and last exit of an absent user: 31 days.
pub const ABSENT_USER_TTL: &str = "2678400";

/// One configured Redis: a server, a Sentinel group or a Cluster.
pub struct RedisInstance {
    pub pool: Pool,
    pub keys: RedisKeys,
    pub scripts: BackplaneScripts,
    /// The buckets of this Redis.
    pub buckets: Vec<Bucket>,
    /// The desired records of this node's users.
    pub outgoing: OutgoingRecords,
    /// The other nodes' records; all configured Redis share it.
    pub view: Arc<RemoteView>,
    /// Receives losses and commands.
    pub listener: Arc<dyn Listener>,
    /// The state of the lease at this Redis.
    pub lease: watch::Receiver<Arc<Lease>>,
    /// Triggers a renewal of the lease.
    pub renew_lease: Arc<Notify>,
    /// Users that have to be read for the first time.
    pub unread: UnreadUsers,
    pub clock: Clock,
    pub metrics: ClusterMetrics,
    /// Number of events that a bucket's log keeps for nodes that missed some.
    pub log_length: usize,
}

impl RedisInstance {
    /// Returns the state of the lease.
    pub fn lease(&self) -> Arc<Lease> {
        self.lease.borrow().clone()
    }

    /// Returns the slot of a user's keys.
    pub fn slot(&self, user: UserId) -> Slot {
        self.keys.buckets().slot(self.keys.buckets().of(user))
    }
}

/// Users that have to be read for the first time. Each user is in the set once, so that it never has more users than are
/// watched.
#[derive(Default)]
pub struct UnreadUsers {
    users: Mutex<HashSet<UserId>>,
    changed: Notify,
}

impl UnreadUsers {
    /// Adds users.
    pub fn add(&self, users: impl IntoIterator<Item = UserId>) {
        self.users.lock().extend(users);
        self.changed.notify_one();
    }

    /// Takes at most `max` users. Waits until there is one.
    pub async fn take(&self, max: usize) -> Vec<UserId> {
        loop {
            {
                let mut users = self.users.lock();
                let taken: Vec<UserId> = users.iter().take(max).copied().collect();
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
