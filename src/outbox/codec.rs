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
    /// Centrifugo's replies as JSON in text frames.
    CentrifugoJson,
    /// Centrifugo's replies as protobuf in binary frames.
    CentrifugoProtobuf,
}

impl Encoding {
    /// How many there are.
    pub const COUNT: usize = 4;

    /// The dialect that an encoding belongs to.
    pub fn dialect(self) -> Dialect {
        match self {
            Self::NakamaJson | Self::NakamaProtobuf => Dialect::Nakama,
            Self::CentrifugoJson | Self::CentrifugoProtobuf => Dialect::Centrifugo,
        }
    }
}

/// What one diff or reply becomes: usually one frame, several where one would be too large.
pub type Frames = Vec<Frame>;

/// What the client called its request, to be echoed; none if it did not say. Only its dialect reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestTag(pub Option<ByteString>);

/// What a client calls a user that it follows, where its dialect has names for that: Centrifugo's channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic(pub ByteString);

/// Encodes what the outbox itself has to say.
pub trait Codec: Send + Sync {
    /// Which encoding this is.
    fn encoding(&self) -> Encoding;

    /// A change, as pushed to followers.
    fn diff(&self, diff: &Diff) -> Frames;

    /// The reply to a follow, with what each followed user shows.
    fn followed(&self, tag: &RequestTag, snapshots: &[Snapshot]) -> Frames;

    /// For a dialect that tells a change by the user's whole presence after it, and not by a diff.
    fn publisher(&self) -> Option<&dyn Publisher> {
        None
    }
}

/// Encodes whole presences for followers, each of whom may know the user by another name.
pub trait Publisher: Send + Sync {
    /// What is the same for all of them, in every encoding.
    fn body(&self, after: &Snapshot) -> ByteString;

    /// The whole frame for one of them.
    fn publication(&self, topic: &Topic, body: &str) -> Frame;
}
