//! Whom one session follows, within its quota.

use hashbrown::HashSet;

use super::id::UserId;
use super::quota::{Quota, QuotaExceeded};

/// The users that a session follows. Itself it follows without an entry here.
#[derive(Debug)]
pub struct Follows {
    own: UserId,
    users: HashSet<UserId>,
    quota: Quota,
}

impl Follows {
    /// Nobody yet, for a session of `own`.
    pub fn new(own: UserId, quota: Quota) -> Self {
        Self { own, users: HashSet::new(), quota }
    }

    /// Adds users and returns those whose state the reply has to show: each once, in the order asked, also when followed
    /// before. The session's own user and the nil user are skipped. Past the quota nobody is added.
    pub fn add(&mut self, users: impl IntoIterator<Item = UserId>) -> Result<Vec<UserId>, QuotaExceeded> {
        let mut seen = HashSet::new();
        let asked: Vec<UserId> =
            users.into_iter().filter(|&user| self.may_be_followed(user) && seen.insert(user)).collect();
        let fresh = asked.iter().filter(|user| !self.users.contains(*user)).count();
        self.quota.check(self.users.len(), fresh)?;
        self.users.extend(&asked);
        Ok(asked)
    }

    /// Removes users and returns those that were followed.
    pub fn remove(&mut self, users: impl IntoIterator<Item = UserId>) -> Vec<UserId> {
        users.into_iter().filter(|user| self.users.remove(user)).collect()
    }

    /// Everybody, at the session's end; nobody is followed afterwards.
    pub fn take(&mut self) -> Vec<UserId> {
        std::mem::take(&mut self.users).into_iter().collect()
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
        let asked = follows.add([user(2), user(9), user(1), user(2), user(0)]).unwrap();
        assert_eq!(asked, [user(2), user(1)]);
        assert_eq!(follows.add([user(1)]).unwrap(), [user(1)], "followed before: shown again");
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
