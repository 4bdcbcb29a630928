//! The list of a user's friends, or of the users that it blocks.

use super::id::UserId;
use super::member_name::MemberName;
use super::quota::{Quota, QuotaExceeded};

/// The kinds of lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RosterKind {
    /// Friends. The user gets their changes without a subscription if that is configured, and they may follow it where only
    /// friends may.
    Friends,
    /// Blocked users. The user looks absent to them.
    Blocked,
}

impl RosterKind {
    /// All kinds.
    pub const ALL: [Self; 2] = [Self::Friends, Self::Blocked];
}

/// A list of users by name, in the order in which they were added. Each user is in it once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster(Vec<MemberName>);

impl Roster {
    /// Creates a list of these names.
    pub fn new(names: Vec<MemberName>) -> Self {
        Self(names)
    }

    /// Adds the names that are not in the list: all or none.
    pub fn add(&mut self, names: &[MemberName], quota: Quota) -> Result<(), QuotaExceeded> {
        let known: std::collections::HashSet<UserId> = self.users().collect();
        let mut named = std::collections::HashSet::new();
        let fresh: Vec<&MemberName> =
            names.iter().filter(|name| !known.contains(&name.user()) && named.insert(name.user())).collect();
        quota.check(self.0.len(), fresh.len())?;
        self.0.extend(fresh.into_iter().cloned());
        Ok(())
    }

    /// Removes these users.
    pub fn remove(&mut self, users: &[UserId]) {
        self.0.retain(|name| !users.contains(&name.user()));
    }

    /// Returns the users on the list.
    pub fn users(&self) -> impl Iterator<Item = UserId> {
        self.0.iter().map(MemberName::user)
    }

    /// Returns their names.
    pub fn names(&self) -> &[MemberName] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<MemberName> {
        names.iter().map(|name| MemberName::new(name).unwrap()).collect()
    }

    #[test]
    fn each_user_is_listed_once_and_beyond_the_quota_none_is_added() {
        let (mut roster, quota) = (Roster::default(), Quota::new(3));
        assert_eq!(roster.add(&names(&["bob", "carol", "bob"]), quota), Ok(()));
        let refused = roster.add(&names(&["bob", "dave", "eve"]), quota);
        assert_eq!(refused, Err(QuotaExceeded { limit: 3, held: 2, asked: 2 }));
        assert_eq!(roster.names(), names(&["bob", "carol"]));
        roster.remove(&[UserId::from_name("bob"), UserId::from_name("nobody")]);
        assert_eq!(roster.names(), names(&["carol"]));
    }

    #[test]
    fn a_user_with_two_names_is_listed_once() {
        let mut roster = Roster::default();
        let uuid = "f13ead91-7889-4f81-afd8-ab814be9a6d0";
        roster.add(&names(&[uuid, &uuid.replace('-', "")]), Quota::new(9)).unwrap();
        assert_eq!(roster.names(), names(&[uuid]));
    }
}
