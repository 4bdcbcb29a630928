//! What every session needs of the rest of the server.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use uuid::{ContextV1, Uuid};

use super::connection_listener::ConnectionListener;
use super::deadline_timer::DeadlineTimer;
use super::pending_connections::PendingConnections;
use super::state::Ending;
use crate::clock::Clock;
use crate::config::{LimitsConfig, SessionConfig};
use crate::engine::Engine;
use crate::members::Members;
use crate::metrics::Metrics;
use crate::presence::id::{ConnectionId, UserId, Username};

/// A username could not be looked up; the reason has been logged.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("usernames could not be looked up")]
pub struct LookupFailed;

/// Finds users by name.
pub trait Directory: Send + Sync {
    /// The ids of those names that exist, in any order.
    fn user_ids(&self, usernames: Vec<Username>) -> BoxFuture<'_, Result<Vec<UserId>, LookupFailed>>;
}

/// What every session of a dialect needs. One per dialect, shared.
pub struct Services {
    /// The users.
    pub engine: Engine,
    /// Finds users by name.
    pub directory: Arc<dyn Directory>,
    /// The time.
    pub clock: Clock,
    /// Counts.
    pub metrics: Metrics,
    /// What every connection is held to.
    pub session: SessionConfig,
    /// Quotas and rates.
    pub limits: LimitsConfig,
    /// Reminds sessions of their deadlines.
    pub deadline_timer: Arc<DeadlineTimer>,
    /// Names connections.
    pub connection_ids: ConnectionIds,
    /// Connections that are nobody's yet.
    pub pending_connections: PendingConnections,
    /// What lasts of accounts.
    pub members: Members,
    /// Is told of clients that come and go; none: nobody is.
    pub connection_listener: Option<Arc<dyn ConnectionListener>>,
    /// How long clients are shown on that may come back.
    pub linger: LingerTimes,
}

/// How long clients are shown on that may come back.
#[derive(Clone, Copy, Debug, Default)]
pub struct LingerTimes {
    /// After their line broke.
    pub broken: Duration,
    /// After the server stopped.
    pub drained: Duration,
}

impl LingerTimes {
    /// After this end. A line that breaks while the server is draining has not heard of it, or is cut for being slow.
    pub fn after(self, ending: Ending, is_draining: bool) -> Duration {
        match ending {
            Ending::Closed => Duration::ZERO,
            Ending::Broken | Ending::Silent if is_draining => self.broken.max(self.drained),
            Ending::Broken | Ending::Silent => self.broken,
            Ending::Drained => self.drained,
        }
    }
}

/// Makes connection ids: UUIDs of version 1, as Nakama's session ids are.
#[derive(Debug)]
pub struct ConnectionIds {
    /// Keeps ids apart that are made in one instant.
    context: ContextV1,
    /// Keeps servers apart.
    node: [u8; 6],
}

impl ConnectionIds {
    /// Ids of a node named at random.
    pub fn new() -> Self {
        Self { context: ContextV1::new(rand::random()), node: rand::random() }
    }

    /// A new id.
    pub fn next(&self, clock: &Clock) -> ConnectionId {
        let micros = clock.now().as_micros();
        let nanos = u32::try_from(micros % 1_000_000 * 1_000).expect("below a second");
        let timestamp = uuid::Timestamp::from_unix(&self.context, micros / 1_000_000, nanos);
        ConnectionId::from_uuid(Uuid::new_v1(timestamp, &self.node))
    }
}

impl Default for ConnectionIds {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_closes_is_gone_and_whose_line_ends_otherwise_may_come_back() {
        let [broken, drained] = [3, 30].map(Duration::from_secs);
        let linger = LingerTimes { broken, drained };
        assert_eq!(linger.after(Ending::Closed, false), Duration::ZERO);
        assert_eq!(linger.after(Ending::Closed, true), Duration::ZERO);
        assert_eq!(linger.after(Ending::Broken, false), broken);
        assert_eq!(linger.after(Ending::Silent, false), broken);
        assert_eq!(linger.after(Ending::Silent, true), drained);
        assert_eq!(linger.after(Ending::Drained, true), drained);
        assert_eq!(LingerTimes { drained: Duration::ZERO, ..linger }.after(Ending::Broken, true), broken);
    }
}
