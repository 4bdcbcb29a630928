//! What a dialect encodes for the outbox.

use bytestring::ByteString;

use super::alias::ClientAlias;
use super::frame::Frame;
use crate::presence::dialect::Dialect;
use crate::presence::diff::{Diff, Snapshot};

/// The encodings of all dialects. A diff is encoded at most once in each.
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
    /// JSON-RPC in text frames.
    TencentJson,
}

impl Encoding {
    /// The number of encodings.
    pub const COUNT: usize = 5;

    /// Returns the dialect of the encoding.
    pub fn dialect(self) -> Dialect {
        match self {
            Self::NakamaJson | Self::NakamaProtobuf => Dialect::Nakama,
            Self::CentrifugoJson | Self::CentrifugoProtobuf => Dialect::Centrifugo,
            Self::TencentJson => Dialect::Tencent,
        }
    }
}

/// The encoding of one diff or reply: usually one frame, several where one would be too large.
pub type Frames = Vec<Frame>;

/// The client's own identifier of its request, which the reply echoes. `None` means that the client gave none. Only the
/// client's dialect reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestTag(pub Option<ByteString>);

/// Encodes the messages that the outbox itself produces.
pub trait Codec: Send + Sync {
    /// Returns the codec's encoding.
    fn encoding(&self) -> Encoding;

    /// Encodes a change, as followers receive it.
    fn diff(&self, diff: &Diff) -> Frames;

    /// Encodes the reply to a follow, with a snapshot of each followed user.
    fn follow_reply(&self, tag: &RequestTag, snapshots: &[Snapshot]) -> Frames;

    /// Joins several replies into the one reply to a batch. Only for a dialect that answers a batch with one
    /// reply.
    fn batch_reply(&self, replies: &[Frame]) -> Frames {
        replies.to_vec()
    }

    /// Returns the publisher of a dialect that sends the user's whole presence after a change, in place of a diff.
    fn publisher(&self) -> Option<&dyn Publisher> {
        None
    }
}

/// Encodes whole presences. Each follower may know the user by another name.
pub trait Publisher: Send + Sync {
    /// Returns whether the dialect shows a difference between the two presences.
    fn is_visible(&self, _before: &Snapshot, _after: &Snapshot) -> bool {
        true
    }

    /// Encodes the part that all followers share, in every encoding of the dialect.
    fn body(&self, after: &Snapshot) -> ByteString;

    /// Encodes the whole frame for one follower.
    fn publication(&self, alias: &ClientAlias, body: &str) -> Frame;
}
