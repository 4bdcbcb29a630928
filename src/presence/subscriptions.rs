//! The subscriptions of a member: a list of limited length that outlives its connections. Beyond the limit the earliest is
//! dropped.

use std::collections::{HashMap, HashSet};

use super::general_status::GeneralStatus;
use super::id::UserId;
use super::member_name::MemberName;

/// A digest of the status of a user that a member received last, which shows whether the status has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveredStatus(pub u64);

impl DeliveredStatus {
    /// Returns the digest of a general status and a text. FNV-1a, because the digest on disk must be the same in every build.
    pub fn of(general: GeneralStatus, text: &str) -> Self {
        let digest =
            std::iter::once(general as u8).chain(text.bytes()).fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            });
        Self(digest)
    }
}

/// One subscription of a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The user, by the name that the member gave.
    pub name: MemberName,
    /// What the member received last before it went offline, or `None` if that is unknown.
    pub delivered: Option<DeliveredStatus>,
}

/// The subscriptions of one member, the earliest first. Each user is in it once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subscriptions(Vec<Subscription>);

impl Subscriptions {
    /// Creates a list of these subscriptions, the earliest first.
    pub fn new(subscriptions: Vec<Subscription>) -> Self {
        Self(subscriptions)
    }

    /// Subscribes to these users in this order. A user that is in the list moves to the end. Beyond `limit` the earliest are
    /// dropped. Returns users that were in the list before and are not any more.
    pub fn add(&mut self, names: &[MemberName], limit: usize) -> Vec<UserId> {
        let before: HashSet<UserId> = self.users().collect();
        // The last occurrence of a name counts. The user of a name is computed once, because it takes a hash.
        let mut asked = HashSet::new();
        let mut added: Vec<Subscription> = names
            .iter()
            .rev()
            .filter(|name| asked.insert(name.user()))
            .map(|name| Subscription { name: name.clone(), delivered: None })
            .collect();
        added.reverse();
        self.0.retain(|known| !asked.contains(&known.name.user()));
        self.0.append(&mut added);
        let excess = self.0.len().saturating_sub(limit);
        self.0.drain(..excess).map(|dropped| dropped.name.user()).filter(|user| before.contains(user)).collect()
    }

    /// Removes these subscriptions, or all for `None`. Returns the removed users.
    pub fn remove(&mut self, users: Option<&[UserId]>) -> Vec<UserId> {
        let Some(users) = users else { return std::mem::take(&mut self.0).iter().map(|one| one.name.user()).collect() };
        let (removed, kept) = std::mem::take(&mut self.0).into_iter().partition(|one| users.contains(&one.name.user()));
        self.0 = kept;
        let removed: Vec<Subscription> = removed;
        removed.into_iter().map(|one| one.name.user()).collect()
    }

    /// Records what the member received last.
    pub fn note(&mut self, delivered: &[(UserId, DeliveredStatus)]) {
        let delivered: HashMap<UserId, DeliveredStatus> = delivered.iter().copied().collect();
        for one in &mut self.0 {
            one.delivered = delivered.get(&one.name.user()).copied();
        }
    }

    /// Forgets what the member received last.
    pub fn forget_delivered(&mut self) {
        self.0.iter_mut().for_each(|one| one.delivered = None);
    }

    /// Returns the users, the earliest first.
    pub fn users(&self) -> impl Iterator<Item = UserId> {
        self.0.iter().map(|one| one.name.user())
    }

    /// Returns all subscriptions, the earliest first.
    pub fn as_slice(&self) -> &[Subscription] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn name(number: u8) -> MemberName {
        MemberName::new(&format!("user-{number}")).unwrap()
    }

    fn names(numbers: &[u8]) -> Vec<MemberName> {
        numbers.iter().copied().map(name).collect()
    }

    fn listed(subscriptions: &Subscriptions) -> Vec<&str> {
        subscriptions.as_slice().iter().map(|one| one.name.as_str()).collect()
    }

    #[derive(Clone, Debug)]
    enum Step {
        Add(Vec<u8>),
        Remove(Vec<u8>),
        Clear,
    }

    fn step() -> impl Strategy<Value = Step> {
        let numbers = || prop::collection::vec(0..12_u8, 0..8);
        prop_oneof![6 => numbers().prop_map(Step::Add), 3 => numbers().prop_map(Step::Remove), 1 => Just(Step::Clear)]
    }

    /// Everything ever subscribed to, with a number for when; the list is worked out from it each time.
    #[derive(Default)]
    struct Naive(std::collections::BTreeMap<u8, u32>, u32);

    impl Naive {
        fn list(&self) -> Vec<u8> {
            let mut list: Vec<(u32, u8)> = self.0.iter().map(|(&user, &when)| (when, user)).collect();
            list.sort_unstable();
            list.into_iter().map(|(_, user)| user).collect()
        }

        fn add(&mut self, users: &[u8], limit: usize) -> Vec<u8> {
            let before = self.list();
            for &user in users {
                self.1 += 1;
                self.0.insert(user, self.1);
                if self.0.len() > limit {
                    let earliest = self.list()[0];
                    self.0.remove(&earliest);
                }
            }
            before.into_iter().filter(|user| !self.0.contains_key(user)).collect()
        }
    }

    proptest! {
        #[test]
        fn it_equals_a_naive_list(steps in prop::collection::vec(step(), 0..60), limit in 1..9_usize) {
            let (mut subscriptions, mut naive) = (Subscriptions::default(), Naive::default());
            for step in steps {
                match step {
                    Step::Add(users) => {
                        let mut dropped = subscriptions.add(&names(&users), limit);
                        let mut expected: Vec<UserId> =
                            naive.add(&users, limit).into_iter().map(|user| name(user).user()).collect();
                        dropped.sort_unstable();
                        expected.sort_unstable();
                        prop_assert_eq!(dropped, expected);
                    }
                    Step::Remove(users) => {
                        let ids: Vec<UserId> = users.iter().map(|&user| name(user).user()).collect();
                        subscriptions.remove(Some(&ids));
                        naive.0.retain(|user, _| !users.contains(user));
                    }
                    Step::Clear => {
                        let removed = subscriptions.remove(None);
                        prop_assert_eq!(removed.len(), naive.0.len());
                        naive.0.clear();
                    }
                }
                let expected: Vec<MemberName> = names(&naive.list());
                prop_assert_eq!(listed(&subscriptions), expected.iter().map(MemberName::as_str).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn the_earliest_is_dropped_and_a_repeated_one_becomes_the_latest() {
        let mut subscriptions = Subscriptions::default();
        assert_eq!(subscriptions.add(&names(&[1, 2, 3]), 3), []);
        assert_eq!(subscriptions.add(&names(&[1]), 3), []);
        assert_eq!(subscriptions.add(&names(&[4]), 3), [name(2).user()]);
        assert_eq!(listed(&subscriptions), ["user-3", "user-1", "user-4"]);
    }
}
