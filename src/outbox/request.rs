//! The one command of a client that waits until user actors have answered.

use hashbrown::HashMap;

use super::codec::{ClientAlias, Codec, Frames, Listing, RequestTag};
use crate::presence::diff::{Diff, Snapshot};
use crate::presence::id::UserId;
use crate::presence::member_name::MemberName;
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
    Follow { tag: RequestTag, snapshots: Snapshots, alias: Option<(UserId, ClientAlias)> },
    List { tag: RequestTag, snapshots: Snapshots, listing: Box<Listing> },
    Unfollow { frames: Frames },
    SetStatus { frames: Frames },
}

/// The snapshots of a follow reply, in the order the users were asked for.
struct Snapshots {
    places: HashMap<UserId, usize>,
    found: Vec<Option<Followed>>,
}

impl Snapshots {
    fn of(users: &[UserId]) -> Self {
        let places = users.iter().enumerate().map(|(place, &user)| (user, place)).collect();
        Self { places, found: users.iter().map(|_| None).collect() }
    }

    /// The one of this user, if it has come.
    fn of_user(&mut self, user: UserId) -> Option<&mut Followed> {
        let place = *self.places.get(&user)?;
        self.found[place].as_mut()
    }

    fn into_list(self) -> Vec<Snapshot> {
        self.found.into_iter().flatten().map(|followed| followed.snapshot).collect()
    }
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
        Self::new(id, users.len(), Kind::Follow { tag, snapshots: Snapshots::of(users), alias: None })
    }

    /// A follow of one user, of whom the client is told under this name.
    pub(super) fn subscribe(id: u32, tag: RequestTag, user: UserId, name: ClientAlias) -> Self {
        let mut request = Self::follow(id, tag, &[user]);
        if let Kind::Follow { alias, .. } = &mut request.kind {
            *alias = Some((user, name));
        }
        request
    }

    /// A follow of these users, of whom the client is told under the listing's names.
    pub(super) fn list(id: u32, tag: RequestTag, listing: Listing) -> Self {
        let users: Vec<UserId> = listing.names.iter().map(MemberName::user).collect();
        let snapshots = Snapshots::of(&users);
        Self::new(id, users.len(), Kind::List { tag, snapshots, listing: Box::new(listing) })
    }

    /// Who is known to the client by a name from the reply on, and by which.
    pub(super) fn aliases(&self) -> Vec<(UserId, ClientAlias)> {
        match &self.kind {
            Kind::Follow { alias, .. } => alias.iter().cloned().collect(),
            Kind::List { listing, .. } => {
                listing.names.iter().map(|name| (name.user(), ClientAlias::of(name))).collect()
            }
            Kind::Unfollow { .. } | Kind::SetStatus { .. } => Vec::new(),
        }
    }

    fn snapshots(&mut self) -> Option<&mut Snapshots> {
        match &mut self.kind {
            Kind::Follow { snapshots, .. } | Kind::List { snapshots, .. } => Some(snapshots),
            Kind::Unfollow { .. } | Kind::SetStatus { .. } => None,
        }
    }

    /// Takes a presence in place of a snapshot that has not gone out yet. True: the client has to be told it besides.
    pub(super) fn take_in_whole(&mut self, after: &Snapshot) -> bool {
        let Some(followed) = self.snapshots().and_then(|snapshots| snapshots.of_user(after.user)) else { return true };
        followed.snapshot = after.clone();
        false
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
        if let Some(snapshots) = self.snapshots()
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
        match self.snapshots().and_then(|snapshots| snapshots.of_user(diff.user)) {
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
            Kind::List { .. } | Kind::Unfollow { .. } | Kind::SetStatus { .. } => &[],
        };
        found.iter().flatten().filter(|followed| followed.again).map(|followed| followed.snapshot.user)
    }

    /// The reply.
    pub(super) fn into_frames(self, codec: &dyn Codec) -> Frames {
        match self.kind {
            Kind::Follow { tag, snapshots, alias: _ } => codec.followed(&tag, &snapshots.into_list()),
            Kind::List { tag, snapshots, listing } => codec.listed(&tag, &listing, &snapshots.into_list()),
            Kind::Unfollow { frames } | Kind::SetStatus { frames } => frames,
        }
    }
}
