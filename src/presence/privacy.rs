//! Privacy rules: which users hide from which.

use std::collections::{HashMap, HashSet};

use super::diff::Snapshot;
use super::general_status::Exit;
use super::id::UserId;
use super::roster::{Roster, RosterKind};

/// Who may follow a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// Everyone that the user does not block.
    #[default]
    Anyone,
    /// Only friends of the user that it does not block.
    Friends,
}

/// What a viewer sees of a user. The one place that decides which fields a user that hides itself shows: none. It looks
/// like a user that never existed, so that nothing reveals the block, nor when the user comes and goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Everything that is visible of the user.
    Full,
    /// Nothing: the user hides from the viewer.
    Nothing,
}

impl View {
    /// Returns the snapshot as the viewer sees it. `exit` is how the user left as far as the stores know, which counts
    /// where the snapshot does not say.
    #[must_use]
    pub fn snapshot(self, mut snapshot: Snapshot, exit: Option<Exit>) -> Snapshot {
        match self {
            Self::Full => {
                snapshot.own.exit = snapshot.own.exit.or(exit);
                snapshot
            }
            Self::Nothing => Snapshot::nothing(snapshot.user),
        }
    }

    /// Returns a list of something of the user as the viewer sees it.
    pub fn list<T>(self, list: Vec<T>) -> Vec<T> {
        match self {
            Self::Full => list,
            Self::Nothing => Vec::new(),
        }
    }
}

/// The privacy lists of all users in memory: about 24 bytes for each entry of a list.
#[derive(Clone, Debug, Default)]
pub struct Privacy {
    audience: Audience,
    /// Contains no empty lists.
    blocked: HashMap<UserId, HashSet<UserId>>,
    /// Filled only for [`Audience::Friends`]. Contains no empty lists.
    friends: HashMap<UserId, HashSet<UserId>>,
}

impl Privacy {
    /// Creates rules without any list.
    pub fn new(audience: Audience) -> Self {
        Self { audience, ..Self::default() }
    }

    /// Replaces a user's list.
    pub fn set(&mut self, kind: RosterKind, owner: UserId, roster: &Roster) {
        let lists = match (kind, self.audience) {
            (RosterKind::Blocked, _) => &mut self.blocked,
            (RosterKind::Friends, Audience::Friends) => &mut self.friends,
            (RosterKind::Friends, Audience::Anyone) => return,
        };
        if roster.names().is_empty() {
            lists.remove(&owner);
        } else {
            lists.insert(owner, roster.users().collect());
        }
    }

    /// Returns the users on a list, as far as it affects which users see each other.
    pub fn listed(&self, kind: RosterKind, owner: UserId) -> HashSet<UserId> {
        self.lists(kind).get(&owner).cloned().unwrap_or_default()
    }

    /// Returns the users that have such a list.
    pub fn owners(&self, kind: RosterKind) -> Vec<UserId> {
        self.lists(kind).keys().copied().collect()
    }

    fn lists(&self, kind: RosterKind) -> &HashMap<UserId, HashSet<UserId>> {
        match kind {
            RosterKind::Blocked => &self.blocked,
            RosterKind::Friends => &self.friends,
        }
    }

    /// Returns what `viewer` sees of `owner`. Without a viewer: what anybody may see.
    pub fn view(&self, owner: UserId, viewer: Option<UserId>) -> View {
        let hides = viewer.is_some_and(|viewer| !self.is_open() && self.hides(owner, viewer));
        if hides { View::Nothing } else { View::Full }
    }

    /// Returns whether `owner` must look absent to `other`.
    fn hides(&self, owner: UserId, other: UserId) -> bool {
        let has =
            |lists: &HashMap<UserId, HashSet<UserId>>| lists.get(&owner).is_some_and(|list| list.contains(&other));
        let is_stranger = match self.audience {
            Audience::Anyone => false,
            Audience::Friends => !has(&self.friends),
        };
        owner != other && (is_stranger || has(&self.blocked))
    }

    /// Returns whether no user hides from any other, a fast path for most servers.
    pub fn is_open(&self) -> bool {
        self.audience == Audience::Anyone && self.blocked.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presence::member_name::MemberName;
    use crate::presence::time::Timestamp;

    fn roster(names: &[&str]) -> Roster {
        Roster::new(names.iter().map(|name| MemberName::new(name).unwrap()).collect())
    }

    fn user(name: &str) -> UserId {
        UserId::from_name(name)
    }

    #[test]
    fn a_user_that_hides_looks_like_one_that_never_existed() {
        let mut privacy = Privacy::new(Audience::Anyone);
        privacy.set(RosterKind::Blocked, user("alice"), &roster(&["mallory"]));
        let mut shown = Snapshot::nothing(user("alice"));
        shown.version = shown.version.next(Timestamp::from_secs(5));
        shown.last_seen.online = Timestamp::from_secs(4);
        shown.own.exit = Some(Exit::Lost);
        let hidden = privacy.view(user("alice"), Some(user("mallory")));
        assert_eq!(hidden.snapshot(shown.clone(), Some(Exit::LoggedOut)), Snapshot::nothing(user("alice")));
        assert_eq!(hidden.list(vec![1]), [0; 0]);
        for viewer in [None, Some(user("bob")), Some(user("alice"))] {
            let view = privacy.view(user("alice"), viewer);
            assert_eq!(view.snapshot(shown.clone(), Some(Exit::LoggedOut)), shown, "the snapshot knows the exit");
            assert_eq!(view.list(vec![1]), [1]);
        }
        let left = View::Full.snapshot(Snapshot::nothing(user("alice")), Some(Exit::LoggedOut));
        assert_eq!(left.own.exit, Some(Exit::LoggedOut), "the stores know it");
    }

    #[test]
    fn a_user_hides_only_from_users_that_it_blocks() {
        let mut privacy = Privacy::new(Audience::Anyone);
        assert!(privacy.is_open());
        privacy.set(RosterKind::Blocked, user("alice"), &roster(&["mallory", "alice"]));
        assert!(privacy.hides(user("alice"), user("mallory")) && !privacy.is_open());
        assert!(!privacy.hides(user("mallory"), user("alice")), "it is not mutual");
        assert!(!privacy.hides(user("alice"), user("bob")));
        assert!(!privacy.hides(user("alice"), user("alice")), "from oneself");
        privacy.set(RosterKind::Blocked, user("alice"), &roster(&[]));
        assert!(!privacy.hides(user("alice"), user("mallory")) && privacy.is_open());
    }

    #[test]
    fn with_the_friends_policy_only_friends_see_a_user() {
        let mut privacy = Privacy::new(Audience::Friends);
        assert!(privacy.hides(user("alice"), user("bob")) && !privacy.is_open());
        privacy.set(RosterKind::Friends, user("alice"), &roster(&["bob"]));
        assert!(!privacy.hides(user("alice"), user("bob")));
        assert!(privacy.hides(user("bob"), user("alice")), "it is not mutual");
        privacy.set(RosterKind::Blocked, user("alice"), &roster(&["bob"]));
        assert!(privacy.hides(user("alice"), user("bob")), "a blocked friend");
    }
}
