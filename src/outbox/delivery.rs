//! How a change is delivered to a follower, and the result.

use crate::metrics::Metrics;
use crate::presence::dialect::Dialect;
use crate::presence::time::Timestamp;

/// When a change is written to a follower's socket, and by which thread. Carries the time of the fan-out.
#[derive(Clone, Copy, Debug)]
pub enum DeliveryMode {
    /// By the session, in one write with everything else that arrives until the session runs. Waking a session costs about
    /// half as much as a write.
    Coalesced(Timestamp),
    /// At once, by the thread that delivers, if the session is at rest and the client received no change shortly before. For
    /// fan-outs to very many followers, where each session would be woken for this change alone.
    Direct(Timestamp),
}

impl DeliveryMode {
    pub(super) fn at(self) -> Timestamp {
        match self {
            Self::Coalesced(at) | Self::Direct(at) => at,
        }
    }
}

/// What a follower's session still has to do for one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The session was at rest, and has been woken for this change.
    Woken,
    /// The session is awake, or slow, and will send the change in its turn; or the change is part of a pending snapshot.
    Waits,
    /// Nothing: the change is in the client's socket, or does not concern the client.
    Done,
    /// Nothing: the session has ended, or is about to end.
    Gone,
}

/// What the outbox did with one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DeliveryOutcome {
    /// Wrote it to the socket.
    Sent,
    /// Queued it, or took it into a pending snapshot.
    Queued,
    /// Folded it into an earlier change of the same user.
    Folded,
    /// Dropped it, because it does not concern this client.
    Irrelevant,
    /// Dropped it, because the session has ended or is about to end.
    Gone,
}

/// Counts the deliveries of one fan-out, so that the fan-out touches the shared metrics once.
#[derive(Debug, Default)]
pub struct DeliveryCounts {
    deliveries: [u64; Dialect::ALL.len()],
    folds: [u64; Dialect::ALL.len()],
}

impl DeliveryCounts {
    pub(super) fn add(&mut self, dialect: Dialect, outcome: DeliveryOutcome) {
        match outcome {
            DeliveryOutcome::Sent | DeliveryOutcome::Queued => self.deliveries[dialect as usize] += 1,
            DeliveryOutcome::Folded => {
                self.deliveries[dialect as usize] += 1;
                self.folds[dialect as usize] += 1;
            }
            DeliveryOutcome::Irrelevant | DeliveryOutcome::Gone => {}
        }
    }

    /// Adds the counts to the metrics.
    pub fn record(&self, metrics: &Metrics) {
        for dialect in Dialect::ALL {
            let counters = metrics.dialect(dialect);
            counters.deliveries.inc_by(self.deliveries[dialect as usize]);
            counters.folds.inc_by(self.folds[dialect as usize]);
        }
    }
}
