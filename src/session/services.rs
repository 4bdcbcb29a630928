//! The services of the server that every session of a dialect uses.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use uuid::{ContextV1, Uuid};

use super::connection_listener::ConnectionListener;
use super::deadline_timer::DeadlineTimer;
use super::pending_connections::PendingConnections;
use super::state::close::SessionEnd;
use crate::clock::Clock;
use crate::config::{LimitsConfig, SessionConfig};
use crate::engine::Engine;
use crate::members::Members;
use crate::metrics::Metrics;
use crate::presence::id::{ConnectionId, UserId, Username};
use crate::refusals::Refusals;

/// A look-up of usernames failed. The reason has been logged.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("usernames could not be looked up")]
pub struct LookupFailed;

/// Looks users up by username.
pub trait Directory: Send + Sync {
    /// Returns the ids of the usernames that exist, in any order.
    fn user_ids(&self, usernames: Vec<Username>) -> BoxFuture<'_, Result<Vec<UserId>, LookupFailed>>;
}

/// The services that the sessions of one dialect share.
pub struct Services {
    /// The user actors.
    pub engine: Engine,
    /// Looks users up by username.
    pub directory: Arc<dyn Directory>,
    /// The clock of deadlines, and the time of day.
    pub clock: Clock,
    /// The server's metrics.
    pub metrics: Metrics,
    /// Records refusals for metrics and logs.
    pub refusals: Refusals,
    /// Timeouts and bounds of every connection.
    pub session: SessionConfig,
    /// Quotas and rate limits.
    pub limits: LimitsConfig,
    /// Wakes sessions at their deadlines.
    pub deadline_timer: Arc<DeadlineTimer>,
    /// Makes the ids of connections.
    pub connection_ids: ConnectionIds,
    /// The connections that belong to no user yet.
    pub pending_connections: Arc<PendingConnections>,
    /// The logged-in Tencent users.
    pub members: Members,
    /// Learns of clients that connect and disconnect, or `None` if nothing listens.
    pub connection_listener: Option<Arc<dyn ConnectionListener>>,
    /// How long a presence lingers after a lost connection.
    pub linger: LingerTimes,
}

/// How long a presence lingers when its session ends without a close by either side.
#[derive(Clone, Copy, Debug, Default)]
pub struct LingerTimes {
    /// After a lost connection.
    pub lost: Duration,
    /// After a stop of the server.
    pub drained: Duration,
}

impl LingerTimes {
    /// Returns the linger after this end of a session.
    pub fn after(self, end: SessionEnd) -> Duration {
        match end {
            SessionEnd::Closed => Duration::ZERO,
            SessionEnd::Lost | SessionEnd::PingTimeout => self.lost,
            SessionEnd::Drained => self.drained,
        }
    }

    /// Returns the linger after this end of a session, while the server drains. A client that loses its connection then
    /// has not received the news of the drain, or was disconnected because it is slow.
    pub fn after_during_drain(self, end: SessionEnd) -> Duration {
        match end {
            SessionEnd::Closed => Duration::ZERO,
            SessionEnd::Lost | SessionEnd::PingTimeout => self.lost.max(self.drained),
            SessionEnd::Drained => self.drained,
        }
    }
}

/// Makes connection ids: UUIDs of version 1, like Nakama's session ids.
#[derive(Debug)]
pub struct ConnectionIds {
    /// Distinguishes ids of the same instant.
    context: ContextV1,
    /// Distinguishes servers.
    node: [u8; 6],
}

impl ConnectionIds {
    /// Returns a maker of ids with a random node.
    pub fn new() -> Self {
        Self { context: ContextV1::new(rand::random()), node: rand::random() }
    }

    /// Returns a new id.
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
    fn a_presence_lingers_unless_one_side_closed_the_connection() {
        let lost = Duration::from_secs(3);
        let drained = Duration::from_secs(30);
        let linger = LingerTimes { lost, drained };
        assert_eq!(linger.after(SessionEnd::Closed), Duration::ZERO);
        assert_eq!(linger.after_during_drain(SessionEnd::Closed), Duration::ZERO);
        assert_eq!(linger.after(SessionEnd::Lost), lost);
        assert_eq!(linger.after(SessionEnd::PingTimeout), lost);
        assert_eq!(linger.after_during_drain(SessionEnd::PingTimeout), drained);
        assert_eq!(linger.after_during_drain(SessionEnd::Drained), drained);
        assert_eq!(LingerTimes { drained: Duration::ZERO, ..linger }.after_during_drain(SessionEnd::Lost), lost);
    }
}
