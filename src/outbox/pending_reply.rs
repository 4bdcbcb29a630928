//! The one command of a client that waits until user actors have answered.

use hashbrown::HashMap;

use super::alias::ClientAlias;
use super::codec::{Codec, Frames, RequestTag};
use crate::presence::diff::{Diff, Snapshot};
use crate::presence::id::UserId;
use crate::presence::member_name::MemberName;
use crate::presence::user::Followed;

/// A reply that the session encodes from snapshots. The outbox knows when all snapshots are in.
pub trait SnapshotReply: Send {
    /// Returns the followed users, each once. From the reply on, these names are the client's aliases for them.
    fn names(&self) -> &[MemberName];

    /// Encodes the reply, with the users' snapshots in the order of the names.
    fn encode(&self, snapshots: &[Snapshot]) -> Frames;
}

/// A reply that waits for the answers of user actors.
pub(super) struct PendingReply {
    /// The number that the session gave the request: answers to earlier ones are ignored.
    id: u32,
    /// The number of answers that have not arrived.
    missing: usize,
    /// The users that lost their actors before these answered.
    abandoned: Vec<UserId>,
    content: ReplyContent,
}

enum ReplyContent {
    Follow { tag: RequestTag, snapshots: AwaitedSnapshots, alias: Option<(UserId, ClientAlias)> },
    Snapshots { reply: Box<dyn SnapshotReply>, snapshots: AwaitedSnapshots },
    Unfollow { frames: Frames },
    SetStatus { frames: Frames },
}

/// The snapshots of a follow reply, in the order in which the client named the users.
struct AwaitedSnapshots {
    /// Each user's index in `arrived`.
    indices: HashMap<UserId, usize>,
    arrived: Vec<Option<Followed>>,
}

impl AwaitedSnapshots {
    fn of(users: &[UserId]) -> Self {
        let indices = users.iter().enumerate().map(|(index, &user)| (user, index)).collect();
        Self { indices, arrived: users.iter().map(|_| None).collect() }
    }

    /// Returns the user's snapshot, if it has arrived.
    fn get_mut(&mut self, user: UserId) -> Option<&mut Followed> {
        let index = *self.indices.get(&user)?;
        self.arrived[index].as_mut()
    }

    fn into_list(self) -> Vec<Snapshot> {
        self.arrived.into_iter().flatten().map(|followed| followed.snapshot).collect()
    }
}

/// The state of a pending reply after an answer.
pub(super) enum ReplyProgress {
    /// Answers are missing and will come.
    Waiting,
    /// All answers are in.
    Complete,
    /// No more answers will come, and those of these users are missing.
    Abandoned(Vec<UserId>),
}

impl PendingReply {
    /// Waits for the snapshots of `users`.
    pub(super) fn follow(id: u32, tag: RequestTag, users: &[UserId]) -> Self {
        let content = ReplyContent::Follow { tag, snapshots: AwaitedSnapshots::of(users), alias: None };
        Self::new(id, users.len(), content)
    }

    /// Waits for the snapshot of one user, which gets this alias from the reply on.
    pub(super) fn subscribe(id: u32, tag: RequestTag, user: UserId, alias: ClientAlias) -> Self {
        let snapshots = AwaitedSnapshots::of(&[user]);
        Self::new(id, 1, ReplyContent::Follow { tag, snapshots, alias: Some((user, alias)) })
    }

    /// Waits for the snapshots that the reply needs.
    pub(super) fn snapshots(id: u32, reply: Box<dyn SnapshotReply>) -> Self {
        let users: Vec<UserId> = reply.names().iter().map(MemberName::user).collect();
        let snapshots = AwaitedSnapshots::of(&users);
        Self::new(id, users.len(), ReplyContent::Snapshots { reply, snapshots })
    }

    /// Waits for `count` acknowledgements of an unfollow.
    pub(super) fn unfollow(id: u32, frames: Frames, count: usize) -> Self {
        Self::new(id, count, ReplyContent::Unfollow { frames })
    }

    /// Waits for the acknowledgement of a status.
    pub(super) fn set_status(id: u32, frames: Frames) -> Self {
        Self::new(id, 1, ReplyContent::SetStatus { frames })
    }

    fn new(id: u32, missing: usize, content: ReplyContent) -> Self {
        Self { id, missing, abandoned: Vec::new(), content }
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn is_unfollow(&self) -> bool {
        matches!(self.content, ReplyContent::Unfollow { .. })
    }

    /// Returns the aliases that the client uses from the reply on.
    pub(super) fn aliases(&self) -> Vec<(UserId, ClientAlias)> {
        match &self.content {
            ReplyContent::Follow { alias, .. } => alias.iter().cloned().collect(),
            ReplyContent::Snapshots { reply, .. } => {
                reply.names().iter().map(|name| (name.user(), ClientAlias::of(name))).collect()
            }
            ReplyContent::Unfollow { .. } | ReplyContent::SetStatus { .. } => Vec::new(),
        }
    }

    fn awaited(&mut self) -> Option<&mut AwaitedSnapshots> {
        match &mut self.content {
            ReplyContent::Follow { snapshots, .. } | ReplyContent::Snapshots { snapshots, .. } => Some(snapshots),
            ReplyContent::Unfollow { .. } | ReplyContent::SetStatus { .. } => None,
        }
    }

    /// Takes the snapshot of one user.
    pub(super) fn snapshot(&mut self, followed: Followed) -> ReplyProgress {
        if let Some(snapshots) = self.awaited()
            && let Some(&index) = snapshots.indices.get(&followed.snapshot.user)
        {
            snapshots.arrived[index] = Some(followed);
        }
        self.acknowledge()
    }

    /// Takes the acknowledgement of one user actor.
    pub(super) fn acknowledge(&mut self) -> ReplyProgress {
        self.missing = self.missing.saturating_sub(1);
        self.progress()
    }

    /// Records that one user actor was lost.
    pub(super) fn abandon(&mut self, user: UserId) -> ReplyProgress {
        self.abandoned.push(user);
        self.acknowledge()
    }

    /// Waits for `count` more answers: the session has asked the abandoned users again.
    pub(super) fn asked_again(&mut self, count: usize) {
        self.missing += count;
    }

    /// Returns how far the reply is. Hands over the abandoned users once.
    pub(super) fn progress(&mut self) -> ReplyProgress {
        match (self.missing, self.abandoned.is_empty()) {
            (0, true) => ReplyProgress::Complete,
            (0, false) => ReplyProgress::Abandoned(std::mem::take(&mut self.abandoned)),
            (_, _) => ReplyProgress::Waiting,
        }
    }

    /// Applies a diff to a snapshot that has not gone out yet. Returns whether the client must also receive the diff: it
    /// followed the user before, or the reply has no snapshot of that user.
    pub(super) fn apply(&mut self, diff: &Diff) -> bool {
        match self.awaited().and_then(|snapshots| snapshots.get_mut(diff.user)) {
            Some(followed) => {
                followed.snapshot.apply(diff);
                followed.again
            }
            None => true,
        }
    }

    /// Replaces a snapshot that has not gone out yet with a later presence. Returns whether the client must also receive
    /// the presence: the reply has no snapshot of that user.
    pub(super) fn replace(&mut self, after: &Snapshot) -> bool {
        let Some(followed) = self.awaited().and_then(|snapshots| snapshots.get_mut(after.user)) else { return true };
        followed.snapshot = after.clone();
        false
    }

    /// Returns the users of a follow that the client followed before. It has received their changes all along.
    pub(super) fn followed_before(&self) -> impl Iterator<Item = UserId> {
        let arrived = match &self.content {
            ReplyContent::Follow { snapshots, .. } => snapshots.arrived.as_slice(),
            ReplyContent::Snapshots { .. } | ReplyContent::Unfollow { .. } | ReplyContent::SetStatus { .. } => &[],
        };
        arrived.iter().flatten().filter(|followed| followed.again).map(|followed| followed.snapshot.user)
    }

    /// Encodes the reply.
    pub(super) fn into_frames(self, codec: &dyn Codec) -> Frames {
        match self.content {
            ReplyContent::Follow { tag, snapshots, alias: _ } => codec.follow_reply(&tag, &snapshots.into_list()),
            ReplyContent::Snapshots { reply, snapshots } => reply.encode(&snapshots.into_list()),
            ReplyContent::Unfollow { frames } | ReplyContent::SetStatus { frames } => frames,
        }
    }
}
