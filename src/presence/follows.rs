//! Whom one session follows, within its quota.

use hashbrown::HashSet;

use super::id::UserId;
use super::quota::{Quota, QuotaExceeded};

/// The users that a session follows. Itself it follows without an entry here.
#[derive(Debug)]
pub struct Follows {
    own: UserId,
    /// Sorted: a third of what a hash set takes, and there are as many as follows in the whole server.
    users: Vec<UserId>,
    quota: Quota,
}

/// What became of users that were added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Added {
    /// Those whose state the reply has to show: each once, in the order asked, also when followed before.
    pub asked: Vec<UserId>,
    /// Those of them that were not followed before.
    pub fresh: Vec<UserId>,
}

impl Follows {
    /// Nobody yet, for a session of `own`.
    pub fn new(own: UserId, quota: Quota) -> Self {
        Self { own, users: Vec::new(), quota }
    }

    /// Whether that many further names may be looked up to be followed: no more than the quota could ever take.
    pub fn may_ask(&self, names: usize) -> Result<(), QuotaExceeded> {
        self.quota.check(0, names).map_err(|exceeded| QuotaExceeded { held: self.users.len(), ..exceeded })
    }

    /// Adds users. The session's own user and the nil user are skipped. Past the quota nobody is added.
    pub fn add(&mut self, users: impl IntoIterator<Item = UserId>) -> Result<Added, QuotaExceeded> {
        let mut last_seen = HashSet::new();
        let asked: Vec<UserId> =
            users.into_iter().filter(|&user| self.may_be_followed(user) && last_seen.insert(user)).collect();
        let fresh: Vec<UserId> = asked.iter().copied().filter(|&user| !self.has(user)).collect();
        self.quota.check(self.users.len(), fresh.len())?;
        self.insert(&fresh);
        Ok(Added { asked, fresh })
    }

    /// Takes users back that were removed and are followed still.
    pub fn restore(&mut self, users: &[UserId]) {
        self.insert(users);
    }

    /// Those are not among them.
    fn insert(&mut self, users: &[UserId]) {
        self.users.reserve_exact(users.len());
        if let [user] = users {
            self.users.insert(self.users.partition_point(|other| other < user), *user);
        } else {
            self.users.extend(users);
            self.users.sort_unstable();
        }
    }

    fn has(&self, user: UserId) -> bool {
        self.users.binary_search(&user).is_ok()
    }

    /// Removes users and returns those that were followed.
    pub fn remove(&mut self, users: impl IntoIterator<Item = UserId>) -> Vec<UserId> {
        let mut gone: Vec<UserId> = users.into_iter().filter(|&user| self.has(user)).collect();
        let mut last_seen = HashSet::new();
        gone.retain(|&user| last_seen.insert(user));
        self.users.retain(|user| !last_seen.contains(user));
        self.users.shrink_to_fit();
        gone
    }

    /// Everybody, at the session's end; nobody is followed afterwards.
    pub fn take(&mut self) -> Vec<UserId> {
        std::mem::take(&mut self.users)
    }

    /// Whether this user is followed.
    pub fn contains(&self, user: UserId) -> bool {
        self.users.contains(&user)
    }

    /// How many are followed.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether nobody is followed.
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
    fn each_is_asked_for_once_and_oneself_and_nil_never() {
        let mut follows = Follows::new(user(9), Quota::new(10));
        let Added { asked, fresh } = follows.add([user(2), user(9), user(1), user(2), user(0)]).unwrap();
        assert_eq!((&asked, &fresh), (&vec![user(2), user(1)], &asked));
        let again = follows.add([user(1)]).unwrap();
        assert_eq!(again, Added { asked: vec![user(1)], fresh: vec![] }, "followed before: shown again");
        assert_eq!(follows.len(), 2);
    }

    #[test]
    fn past_the_quota_nobody_is_added() {
        let mut follows = Follows::new(user(9), Quota::new(2));
        follows.add([user(1)]).unwrap();
        assert!(follows.add([user(2), user(3)]).is_err());
        assert_eq!(follows.len(), 1);
        assert!(follows.add([user(1), user(2)]).is_ok(), "who is followed before counts once");
    }

    #[test]
    fn only_the_followed_are_unfollowed() {
        let mut follows = Follows::new(user(9), Quota::new(5));
        follows.add([user(1), user(2)]).unwrap();
        assert_eq!(follows.remove([user(2), user(7), user(2)]), [user(2)]);
        assert_eq!(follows.take(), [user(1)]);
        assert!(follows.is_empty());
    }
}
