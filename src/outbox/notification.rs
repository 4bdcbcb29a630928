//! One diff on its way to many followers.

use std::sync::{Arc, OnceLock};

use bytestring::ByteString;

use super::codec::{Codec, Encoding, Frames, Publisher};
use super::frame::Frame;
use crate::metrics::Metrics;
use crate::presence::dialect::Dialect;
use crate::presence::diff::{Diff, Snapshot};
use crate::presence::time::Timestamp;

/// A diff with its encodings, each made by the first receiver that needs it.
#[derive(Debug)]
pub struct Notification {
    diff: Diff,
    /// What the user showed until now, and shows: for dialects that tell the whole presence.
    before: Arc<Snapshot>,
    after: Arc<Snapshot>,
    /// What each such dialect says of it.
    bodies: [OnceLock<ByteString>; Dialect::ALL.len()],
    encoded: [OnceLock<Frames>; Encoding::COUNT],
}

impl Notification {
    /// Wraps a diff and what the user shows before and after it; nothing is encoded yet.
    pub fn new(diff: Diff, before: Arc<Snapshot>, after: Snapshot) -> Self {
        Self { diff, before, after: Arc::new(after), bodies: Default::default(), encoded: Default::default() }
    }

    /// The change itself.
    pub fn diff(&self) -> &Diff {
        &self.diff
    }

    /// What the user shows after the change.
    pub fn after(&self) -> &Arc<Snapshot> {
        &self.after
    }

    /// Whether the change shows in a publisher's dialect.
    pub(super) fn shows(&self, publisher: &dyn Publisher) -> bool {
        publisher.shows(&self.before, &self.after)
    }

    /// What every follower of a dialect is published.
    pub(super) fn body(&self, dialect: Dialect, publisher: &dyn Publisher) -> &str {
        self.bodies[dialect as usize].get_or_init(|| publisher.body(&self.after))
    }

    /// The change in a codec's encoding.
    pub(super) fn encoded(&self, codec: &dyn Codec) -> &[Frame] {
        self.encoded[codec.encoding() as usize].get_or_init(|| codec.diff(&self.diff))
    }
}

/// What became of one delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Sent,
    Queued,
    Folded,
    /// It does not concern this client.
    Passed,
    Gone,
}

/// How a change goes out, and when.
#[derive(Clone, Copy, Debug)]
pub enum DeliveryMode {
    /// In one write with whatever comes for the client until its session has its turn. A session's turn costs about as
    /// much as half a write.
    Gathered(Timestamp),
    /// At once, from the thread that tells it, where the session rests and was told nothing shortly before: one of very
    /// many who are told the same, where each session's turn would be superseded on this alone.
    AtOnce(Timestamp),
}

impl DeliveryMode {
    pub(super) fn at(self) -> Timestamp {
        match self {
            Self::Gathered(at) | Self::AtOnce(at) => at,
        }
    }
}

/// What a follower's session is about to do with what it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It was at rest and has been woken for it.
    Woken,
    /// It is busy or slow, and comes to it; or it is not concerned.
    Waits,
    /// Nothing: the client has it, or needs it not.
    Done,
    /// Nothing: it is gone, or about to go.
    Gone,
}

/// Counts a fan-out, so that the shared metrics are touched once for all its deliveries.
#[derive(Debug, Default)]
pub struct DeliveryCounts {
    deliveries: [u64; Dialect::ALL.len()],
    folds: [u64; Dialect::ALL.len()],
}

impl DeliveryCounts {
    pub(super) fn add(&mut self, dialect: Dialect, outcome: Outcome) {
        match outcome {
            Outcome::Sent | Outcome::Queued => self.deliveries[dialect as usize] += 1,
            Outcome::Folded => {
                self.deliveries[dialect as usize] += 1;
                self.folds[dialect as usize] += 1;
            }
            Outcome::Passed | Outcome::Gone => {}
        }
    }

    /// Adds the counts to the metrics.
    pub fn record(&self, metrics: &Metrics) {
        for dialect in Dialect::ALL {
            let counted = metrics.dialect(dialect);
            counted.deliveries.inc_by(self.deliveries[dialect as usize]);
            counted.folds.inc_by(self.folds[dialect as usize]);
        }
    }
}
