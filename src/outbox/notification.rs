//! One diff for many followers, encoded once per encoding.

use std::sync::{Arc, OnceLock};

use bytestring::ByteString;

use super::codec::{Codec, Encoding, Frames, Publisher};
use super::frame::Frame;
use crate::presence::dialect::Dialect;
use crate::presence::diff::{Diff, Snapshot};

/// A diff with its encodings. The first follower that needs an encoding makes it.
#[derive(Debug)]
pub struct Notification {
    diff: Diff,
    /// The user's presence before and after the change, for dialects that publish whole presences.
    before: Arc<Snapshot>,
    after: Arc<Snapshot>,
    /// The body of the publication in each such dialect.
    bodies: [OnceLock<ByteString>; Dialect::ALL.len()],
    encoded: [OnceLock<Frames>; Encoding::COUNT],
}

impl Notification {
    /// Wraps a diff and the user's presence before and after it. Encodes nothing yet.
    pub fn new(diff: Diff, before: Arc<Snapshot>, after: Snapshot) -> Self {
        Self { diff, before, after: Arc::new(after), bodies: Default::default(), encoded: Default::default() }
    }

    /// Returns the diff.
    pub fn diff(&self) -> &Diff {
        &self.diff
    }

    /// Returns the user's presence after the change.
    pub fn after(&self) -> &Arc<Snapshot> {
        &self.after
    }

    /// Returns whether the change is visible in the publisher's dialect.
    pub(super) fn is_visible(&self, publisher: &dyn Publisher) -> bool {
        publisher.is_visible(&self.before, &self.after)
    }

    /// Returns the part of the publication that all followers of a dialect share.
    pub(super) fn body(&self, dialect: Dialect, publisher: &dyn Publisher) -> &str {
        self.bodies[dialect as usize].get_or_init(|| publisher.body(&self.after))
    }

    /// Returns the diff in the codec's encoding.
    pub(super) fn encoded(&self, codec: &dyn Codec) -> &[Frame] {
        self.encoded[codec.encoding() as usize].get_or_init(|| codec.diff(&self.diff))
    }
}
