//! What a dialect does for the outbox.

use bytestring::ByteString;

use super::frame::Frame;
use crate::metrics::Dialect;
use crate::presence::diff::{Diff, Snapshot};

/// The encodings there are, over all dialects. A diff is encoded at most once in each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Nakama's envelope as JSON in text frames.
    NakamaJson,
    /// Nakama's envelope as protobuf in binary frames.
    NakamaProtobuf,
}

impl Encoding {
    /// How many there are.
    pub const COUNT: usize = 2;

    /// The dialect that an encoding belongs to.
    pub fn dialect(self) -> Dialect {
        match self {
            Self::NakamaJson | Self::NakamaProtobuf => Dialect::Nakama,
        }
    }
}

/// What one diff or reply becomes: usually one frame, several where one would be too large.
pub type Frames = Vec<Frame>;

/// What the client called its request, to be echoed; none if it did not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestTag(pub Option<ByteString>);

/// Encodes what the outbox itself has to say.
pub trait Codec: Send + Sync {
    /// Which encoding this is.
    fn encoding(&self) -> Encoding;

    /// A change, as pushed to followers.
    fn diff(&self, diff: &Diff) -> Frames;

    /// The reply to a follow, with what each followed user shows.
    fn followed(&self, tag: &RequestTag, snapshots: &[Snapshot]) -> Frames;
}
