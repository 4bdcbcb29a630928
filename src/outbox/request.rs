//! The one command of a client that waits until user actors have answered.

use hashbrown::HashMap;

use super::codec::{Codec, Frames, RequestTag, Topic};
use crate::presence::diff::{Diff, Snapshot};
use crate::presence::id::UserId;
use crate::presence::user::Followed;

/// A command under way.
pub(super) struct Request {
    id: u32,
    /// Answers still to come.
    waiting: usize,
    /// Whose actors were lost instead of answering.
    abandoned: Vec<UserId>,
    kind: Kind,
}

enum Kind {
    Follow { tag: RequestTag, snapshots: Snapshots, topic: Option<(UserId, Topic)> },
    Unfollow { frames: Frames },
    SetStatus { frames: Frames },
}

/// The snapshots of a follow reply, in the order the users were asked for.
struct Snapshots {
    places: HashMap<UserId, usize>,
    found: Vec<Option<Followed>>,
}

/// Where a request stands after an answer.
pub(super) enum Settled {
    /// Answers are still to come.
    Waiting,
    /// All answers are in.
    Complete,
    /// No answer is under way, but these users' are missing.
    Abandoned(Vec<UserId>),
}

impl Request {
    pub(super) fn follow(id: u32, tag: RequestTag, users: &[UserId]) -> Self {
        let places = users.iter().enumerate().map(|(place, &user)| (user, place)).collect();
        let found = users.iter().map(|_| None).collect();
        Self::new(id, users.len(), Kind::Follow { tag, snapshots: Snapshots { places, found }, topic: None })
    }

    /// A follow of one user, of whom the client is told under this name.
    pub(super) fn subscribe(id: u32, tag: RequestTag, user: UserId, name: Topic) -> Self {
        let mut request = Self::follow(id, tag, &[user]);
        if let Kind::Follow { topic, .. } = &mut request.kind {
            *topic = Some((user, name));
        }
        request
    }

    /// Who is known to the client by a name from the reply on, and by which.
    pub(super) fn topic(&self) -> Option<(UserId, Topic)> {
        match &self.kind {
            Kind::Follow { topic, .. } => topic.clone(),
            Kind::Unfollow { .. } | Kind::SetStatus { .. } => None,
        }
    }

    pub(super) fn unfollow(id: u32, frames: Frames, count: usize) -> Self {
        Self::new(id, count, Kind::Unfollow { frames })
    }

    pub(super) fn set_status(id: u32, frames: Frames) -> Self {
        Self::new(id, 1, Kind::SetStatus { frames })
    }

    fn new(id: u32, waiting: usize, kind: Kind) -> Self {
        Self { id, waiting, abandoned: Vec::new(), kind }
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn unfollows(&self) -> bool {
        matches!(self.kind, Kind::Unfollow { .. })
    }

    /// One user's state has come.
    pub(super) fn snapshot(&mut self, followed: Followed) -> Settled {
        if let Kind::Follow { snapshots, .. } = &mut self.kind
            && let Some(&place) = snapshots.places.get(&followed.snapshot.user)
        {
            snapshots.found[place] = Some(followed);
        }
        self.acknowledge()
    }

    /// One user actor has done its part.
    pub(super) fn acknowledge(&mut self) -> Settled {
        self.waiting = self.waiting.saturating_sub(1);
        self.settled()
    }

    /// One user actor was lost.
    pub(super) fn abandon(&mut self, user: UserId) -> Settled {
        self.abandoned.push(user);
        self.acknowledge()
    }

    /// The abandoned users have been asked again.
    pub(super) fn asked_again(&mut self, count: usize) {
        self.waiting += count;
    }

    pub(super) fn settled(&mut self) -> Settled {
        match (self.waiting, self.abandoned.is_empty()) {
            (0, true) => Settled::Complete,
            (0, false) => Settled::Abandoned(std::mem::take(&mut self.abandoned)),
            (_, _) => Settled::Waiting,
        }
    }

    /// Takes a change into a snapshot that has not gone out yet. True: the client has to be told the change besides,
    /// because it followed the user before.
    pub(super) fn take_in(&mut self, diff: &Diff) -> bool {
        let Kind::Follow { snapshots, .. } = &mut self.kind else { return true };
        let place = snapshots.places.get(&diff.user).copied();
        match place.and_then(|place| snapshots.found[place].as_mut()) {
            Some(followed) => {
                followed.snapshot.apply(diff);
                followed.again
            }
            None => true,
        }
    }

    /// The users of a follow that the client followed before: it has been told of them all along.
    pub(super) fn followed_before(&self) -> impl Iterator<Item = UserId> {
        let found = match &self.kind {
            Kind::Follow { snapshots, .. } => snapshots.found.as_slice(),
            Kind::Unfollow { .. } | Kind::SetStatus { .. } => &[],
        };
        found.iter().flatten().filter(|followed| followed.again).map(|followed| followed.snapshot.user)
    }

    /// The reply.
    pub(super) fn into_frames(self, codec: &dyn Codec) -> Frames {
        match self.kind {
            Kind::Follow { tag, snapshots, topic: _ } => {
                let snapshots: Vec<Snapshot> =
                    snapshots.found.into_iter().flatten().map(|followed| followed.snapshot).collect();
                codec.followed(&tag, &snapshots)
            }
            Kind::Unfollow { frames } | Kind::SetStatus { frames } => frames,
        }
    }
}
