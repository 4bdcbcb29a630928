//! The addresses that a user's changes are told to.

use std::hash::{BuildHasher, Hash};
use std::ops::Range;

use hashbrown::{DefaultHashBuilder, HashTable};

/// A set of addresses that can be gone through piece by piece, because there may be very many.
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
    /// Adds an address; false if it was there.
    pub fn insert(&mut self, follower: F) -> bool {
        let hash = self.hasher.hash_one(&follower);
        if self.table.find(hash, |known| *known == follower).is_some() {
            return false;
        }
        self.table.insert_unique(hash, follower, |known| self.hasher.hash_one(known));
        true
    }

    /// Removes an address; false if it was not there. Gives room back when most are gone.
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
    /// How many there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &F> {
        self.table.iter()
    }

    /// The places that [`Followers::within`] goes through; about half of them are taken.
    pub fn places(&self) -> Range<usize> {
        0..self.table.num_buckets()
    }

    /// Those in these places: as long as nobody is added or removed, each is in one place.
    pub fn within(&self, places: Range<usize>) -> impl Iterator<Item = &F> {
        places.filter_map(|place| self.table.get_bucket(place))
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
        fn it_is_a_set_and_its_pieces_are_the_whole(steps in prop::collection::vec((any::<bool>(), 0..60_u8), 0..300)) {
            let mut followers = Followers::default();
            let mut model = BTreeSet::new();
            for (add, address) in steps {
                if add {
                    prop_assert_eq!(followers.insert(address), model.insert(address));
                } else {
                    prop_assert_eq!(followers.remove(&address), model.remove(&address));
                }
                prop_assert_eq!(followers.len(), model.len());
                let end = followers.places().end;
                let pieces: Vec<u8> = (0..end.div_ceil(7))
                    .flat_map(|piece| followers.within(piece * 7..end.min((piece + 1) * 7)))
                    .copied()
                    .collect();
                prop_assert_eq!(pieces.len(), model.len(), "one comes twice, or not at all");
                prop_assert_eq!(&pieces.into_iter().collect::<BTreeSet<u8>>(), &model);
                prop_assert_eq!(followers.iter().copied().collect::<BTreeSet<u8>>(), model.clone());
            }
        }
    }

    #[test]
    fn room_is_given_back() {
        let mut followers = Followers::default();
        followers.extend(0..10_000);
        (0..9_990).for_each(|address| assert!(followers.remove(&address)));
        assert!(followers.places().end < 100, "{:?}", followers.places());
    }
}
