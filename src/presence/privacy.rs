//! Privacy rules: which users hide from which.

use std::collections::{HashMap, HashSet};

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

    /// Returns whether `owner` must look absent to `other`.
    pub fn hides(&self, owner: UserId, other: UserId) -> bool {
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

    fn roster(names: &[&str]) -> Roster {
        Roster::new(names.iter().map(|name| MemberName::new(name).unwrap()).collect())
    }

    fn user(name: &str) -> UserId {
        UserId::from_name(name)
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
