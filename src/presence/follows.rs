//! The users that one session follows, within its quota.

use hashbrown::HashSet;

use super::id::UserId;
use super::quota::{Quota, QuotaExceeded};

/// The users that a session follows. It follows its own user without an entry here.
#[derive(Debug)]
pub struct Follows {
    own: UserId,
    /// Sorted. A sorted list takes a third of the memory of a hash set, and there are very many follows in a server.
    users: Vec<UserId>,
    quota: Quota,
}

/// The result of adding users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// Users for the reply: each once, in the order of the request, including those followed before.
    pub asked: Vec<UserId>,
    /// Those that were not followed before.
    pub fresh: Vec<UserId>,
}

impl Follows {
    /// Creates an empty set for a session of the user `own`.
    pub fn new(own: UserId, quota: Quota) -> Self {
        Self { own, users: Vec::new(), quota }
    }

    /// Checks whether this many names may be looked up for a follow: at most as many as the quota allows in all.
    pub fn may_ask(&self, names: usize) -> Result<(), QuotaExceeded> {
        self.quota.check(0, names).map_err(|exceeded| QuotaExceeded { held: self.users.len(), ..exceeded })
    }

    /// Adds users. The session's own user and the nil user are skipped. Beyond the quota no user is added.
    pub fn add(&mut self, users: impl IntoIterator<Item = UserId>) -> Result<Added, QuotaExceeded> {
        let mut distinct = HashSet::new();
        let asked: Vec<UserId> =
            users.into_iter().filter(|&user| self.may_be_followed(user) && distinct.insert(user)).collect();
        let fresh: Vec<UserId> = asked.iter().copied().filter(|&user| !self.contains(user)).collect();
        self.quota.check(self.users.len(), fresh.len())?;
        self.insert(&fresh);
        Ok(Added { asked, fresh })
    }

    /// Puts back users that were removed but are still followed.
    pub fn restore(&mut self, users: &[UserId]) {
        self.insert(users);
    }

    /// Inserts users that are not in the list.
    fn insert(&mut self, users: &[UserId]) {
        self.users.reserve_exact(users.len());
        if let [user] = users {
            self.users.insert(self.users.partition_point(|other| other < user), *user);
        } else {
            self.users.extend(users);
            self.users.sort_unstable();
        }
    }

    /// Removes users and returns those that were followed.
    pub fn remove(&mut self, users: impl IntoIterator<Item = UserId>) -> Vec<UserId> {
        let mut gone: Vec<UserId> = users.into_iter().filter(|&user| self.contains(user)).collect();
        let mut distinct = HashSet::new();
        gone.retain(|&user| distinct.insert(user));
        self.users.retain(|user| !distinct.contains(user));
        self.users.shrink_to_fit();
        gone
    }

    /// Removes and returns all users, at the end of the session.
    pub fn take(&mut self) -> Vec<UserId> {
        std::mem::take(&mut self.users)
    }

    /// Returns whether this user is followed.
    pub fn contains(&self, user: UserId) -> bool {
        self.users.binary_search(&user).is_ok()
    }

    /// Returns the number of followed users.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Returns whether no user is followed.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }

    fn may_be_followed(&self, user: UserId) -> bool {
        user != self.own && !user.is_nil()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn user(number: u128) -> UserId {
        UserId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn each_user_is_asked_once_and_the_own_and_nil_user_never() {
        let mut follows = Follows::new(user(9), Quota::new(10));
        let Added { asked, fresh } = follows.add([user(2), user(9), user(1), user(2), user(0)]).unwrap();
        assert_eq!((&asked, &fresh), (&vec![user(2), user(1)], &asked));
        let again = follows.add([user(1)]).unwrap();
        assert_eq!(again, Added { asked: vec![user(1)], fresh: vec![] }, "followed before: shown again");
        assert_eq!(follows.len(), 2);
    }

    #[test]
    fn beyond_the_quota_no_user_is_added() {
        let mut follows = Follows::new(user(9), Quota::new(2));
        follows.add([user(1)]).unwrap();
        assert!(follows.add([user(2), user(3)]).is_err());
        assert_eq!(follows.len(), 1);
        assert!(follows.add([user(1), user(2)]).is_ok(), "who is followed before counts once");
    }

    #[test]
    fn only_followed_users_are_unfollowed() {
        let mut follows = Follows::new(user(9), Quota::new(5));
        follows.add([user(1), user(2)]).unwrap();
        assert_eq!(follows.remove([user(2), user(7), user(2)]), [user(2)]);
        assert_eq!(follows.take(), [user(1)]);
        assert!(follows.is_empty());
    }
}
