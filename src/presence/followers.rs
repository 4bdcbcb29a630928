//! The set of addresses that get a user's changes.

use std::hash::{BuildHasher, Hash};
use std::ops::Range;

use hashbrown::{DefaultHashBuilder, HashTable};

/// A set of addresses that can be iterated in slices, because there may be millions.
#[derive(Clone, Debug)]
pub struct Followers<F> {
    table: HashTable<F>,
    hasher: DefaultHashBuilder,
}

impl<F> Default for Followers<F> {
    fn default() -> Self {
        Self { table: HashTable::new(), hasher: DefaultHashBuilder::default() }
    }
}

impl<F: Eq + Hash> Followers<F> {
    /// Adds an address. Returns false if it was there.
    pub fn insert(&mut self, follower: F) -> bool {
        let hash = self.hasher.hash_one(&follower);
        if self.table.find(hash, |known| *known == follower).is_some() {
            return false;
        }
        self.table.insert_unique(hash, follower, |known| self.hasher.hash_one(known));
        true
    }

    /// Removes an address. Returns false if it was not there. Releases memory when most addresses are gone.
    pub fn remove(&mut self, follower: &F) -> bool {
        let hash = self.hasher.hash_one(follower);
        let Ok(entry) = self.table.find_entry(hash, |known| known == follower) else { return false };
        entry.remove();
        if self.table.len() < self.table.capacity() / 4 {
            self.table.shrink_to(self.table.len() * 2, |known| self.hasher.hash_one(known));
        }
        true
    }
}

impl<F> Followers<F> {
    /// Returns the number of addresses.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Returns whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Returns all addresses in no particular order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &F> {
        self.table.iter()
    }

    /// Returns the table slots that [`Followers::in_slots`] iterates. About half of them are in use.
    pub fn slots(&self) -> Range<usize> {
        0..self.table.num_buckets()
    }

    /// Returns the addresses in these slots. An address keeps its slot until the set changes.
    pub fn in_slots(&self, slots: Range<usize>) -> impl Iterator<Item = &F> {
        slots.filter_map(|slot| self.table.get_bucket(slot))
    }
}

impl<F: Eq + Hash> Extend<F> for Followers<F> {
    fn extend<T: IntoIterator<Item = F>>(&mut self, followers: T) {
        followers.into_iter().for_each(|follower| {
            self.insert(follower);
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set_and_its_slices_cover_it(steps in prop::collection::vec((any::<bool>(), 0..60_u8), 0..300)) {
            let mut followers = Followers::default();
            let mut model = BTreeSet::new();
            for (add, address) in steps {
                if add {
                    prop_assert_eq!(followers.insert(address), model.insert(address));
                } else {
                    prop_assert_eq!(followers.remove(&address), model.remove(&address));
                }
                prop_assert_eq!(followers.len(), model.len());
                let end = followers.slots().end;
                let pieces: Vec<u8> = (0..end.div_ceil(7))
                    .flat_map(|piece| followers.in_slots(piece * 7..end.min((piece + 1) * 7)))
                    .copied()
                    .collect();
                prop_assert_eq!(pieces.len(), model.len(), "one comes twice, or not at all");
                prop_assert_eq!(&pieces.into_iter().collect::<BTreeSet<u8>>(), &model);
                prop_assert_eq!(followers.iter().copied().collect::<BTreeSet<u8>>(), model.clone());
            }
        }
    }

    #[test]
    fn memory_is_released() {
        let mut followers = Followers::default();
        followers.extend(0..10_000);
        (0..9_990).for_each(|address| assert!(followers.remove(&address)));
        assert!(followers.slots().end < 100, "{:?}", followers.slots());
    }
}
