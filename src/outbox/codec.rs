//! What a dialect does for the outbox.

use std::time::Duration;

use bytestring::ByteString;

use super::frame::Frame;
use crate::presence::dialect::Dialect;
use crate::presence::diff::{Diff, Snapshot};
use crate::presence::member_name::MemberName;
use crate::presence::subscriptions::DeliveredStatus;

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
    /// JSON-RPC in text frames.
    TencentJson,
}

impl Encoding {
    /// How many there are.
    pub const COUNT: usize = 5;

    /// The dialect that an encoding belongs to.
    pub fn dialect(self) -> Dialect {
        match self {
            Self::NakamaJson | Self::NakamaProtobuf => Dialect::Nakama,
            Self::CentrifugoJson | Self::CentrifugoProtobuf => Dialect::Centrifugo,
            Self::TencentJson => Dialect::Tencent,
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
pub struct ClientAlias(pub ByteString);

impl ClientAlias {
    /// An account's name for somebody.
    pub fn of(name: &MemberName) -> Self {
        Self(name.as_str().into())
    }
}

/// Users that an account follows from its login or a call on, as the reply needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// What is answered.
    pub kind: ListingKind,
    /// By the account's names for them, each user once.
    pub names: Vec<MemberName>,
    /// Who is not followed, and why.
    pub failures: Vec<Failure>,
}

/// What a [`Listing`] is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListingKind {
    /// A call that subscribes.
    Subscription,
    /// A login of the first of the names.
    Login {
        /// How long its client may be silent.
        heartbeat: Duration,
        /// Of each name, what the account is to be told.
        catch_up: Vec<CatchUp>,
    },
}

/// What a login is told of somebody it follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CatchUp {
    /// Nothing.
    Nothing,
    /// What it shows, if it is there.
    IfOnline,
    /// What it shows, unless that is what the account was told last.
    UnlessTold(Option<DeliveredStatus>),
}

/// A user with whom a call did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// By the caller's name.
    pub name: MemberName,
    /// Why.
    pub reason: FailureReason,
}

/// Why a call did not do with a user what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureReason {
    /// It is the caller itself.
    Oneself,
    /// There is no such account.
    NoAccount,
}

/// Encodes what the outbox itself has to say.
pub trait Codec: Send + Sync {
    /// Which encoding this is.
    fn encoding(&self) -> Encoding;

    /// A change, as pushed to followers.
    fn diff(&self, diff: &Diff) -> Frames;

    /// The reply to a follow, with what each followed user shows.
    fn followed(&self, tag: &RequestTag, snapshots: &[Snapshot]) -> Frames;

    /// The reply to an account's login or subscription, with what each user shows, in the order of [`Listing::names`]; then
    /// what else has to be told. Only for the dialect that has accounts.
    fn listed(&self, _: &RequestTag, _: &Listing, _: &[Snapshot]) -> Frames {
        Vec::new()
    }

    /// Several replies as the one to a batch. Only for the dialect that has batches of one reply.
    fn joined(&self, replies: &[Frame]) -> Frames {
        replies.to_vec()
    }

    /// For a dialect that tells a change by the user's whole presence after it, and not by a diff.
    fn publisher(&self) -> Option<&dyn Publisher> {
        None
    }
}

/// Encodes whole presences for followers, each of whom may know the user by another name.
pub trait Publisher: Send + Sync {
    /// Whether a change from one state to another shows.
    fn shows(&self, _before: &Snapshot, _after: &Snapshot) -> bool {
        true
    }

    /// What is the same for all of them, in every encoding of the dialect.
    fn body(&self, after: &Snapshot) -> ByteString;

    /// The whole frame for one of them.
    fn publication(&self, alias: &ClientAlias, body: &str) -> Frame;
}
