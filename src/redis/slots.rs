//! Where the keys of a user are: its bucket, the hash tag and slot of the bucket, and the Redis that has the bucket.
//!
//! All keys and the channel of one bucket share a hash tag, so that they are on one master and a script may use them
//! together. Bucket i of B has the i-th of B equal stripes of Redis Cluster's 16384 slots: its tag is the smallest `b<k>`
//! with a slot in that stripe. So masters with equal ranges of slots have equal numbers of buckets.

use crate::presence::id::UserId;

/// Number of slots of a Redis Cluster (Redis Cluster specification, "Key distribution model").
pub const SLOTS: u32 = 16_384;

/// A part of the users: a number from 0 to B - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(u16);

impl Bucket {
    /// Returns the bucket's number, for indexing.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// A slot of a Redis Cluster.
pub type Slot = u16;

/// Returns the slot of a hash tag (not of a whole key).
pub fn slot(tag: &[u8]) -> Slot {
    // 16384 is a power of two below 65536.
    crc16(tag) & 0x3fff
}

/// Computes the CRC16 of Redis Cluster: XMODEM, polynomial 1021.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8).fold(crc ^ (u16::from(byte) << 8), |crc: u16, _| {
            let shifted = crc << 1;
            if crc & 0x8000 == 0 { shifted } else { shifted ^ 0x1021 }
        })
    })
}

/// The buckets and their hash tags.
#[derive(Clone, Debug)]
pub struct Buckets {
    tags: Vec<(String, Slot)>,
}

impl Buckets {
    /// Makes `count` buckets and finds their tags. Takes a few milliseconds.
    pub fn new(count: u16) -> Self {
        let mut tags: Vec<Option<(String, Slot)>> = vec![None; usize::from(count)];
        let mut missing = tags.len();
        for number in 0_u64.. {
            if missing == 0 {
                break;
            }
            let tag = format!("b{number}");
            let slot = slot(tag.as_bytes());
            let stripe = &mut tags[usize::from(slot) * usize::from(count) / SLOTS as usize];
            if stripe.is_none() {
                *stripe = Some((tag, slot));
                missing -= 1;
            }
        }
        Self { tags: tags.into_iter().flatten().collect() }
    }

    /// Returns all buckets.
    pub fn all(&self) -> impl Iterator<Item = Bucket> + use<> {
        let count = u16::try_from(self.tags.len()).expect("made from a u16");
        (0..count).map(Bucket)
    }

    /// Returns the number of buckets.
    pub fn count(&self) -> usize {
        self.tags.len()
    }

    /// Returns the bucket of a user. The result must never change: stored records are found by it.
    pub fn of(&self, user: UserId) -> Bucket {
        self.of_bytes(user.uuid().as_bytes())
    }

    /// Returns the bucket of a name. The result must never change either.
    pub fn of_name(&self, name: &str) -> Bucket {
        self.of_bytes(name.as_bytes())
    }

    fn of_bytes(&self, bytes: &[u8]) -> Bucket {
        let bucket = crc32fast::hash(bytes) % u32::try_from(self.tags.len()).expect("made from a u16");
        Bucket(u16::try_from(bucket).expect("below the number of buckets"))
    }

    /// Returns the bucket's hash tag, without braces.
    pub fn tag(&self, bucket: Bucket) -> &str {
        &self.tags[bucket.index()].0
    }

    /// Returns the slot of the bucket's hash tag.
    pub fn slot(&self, bucket: Bucket) -> Slot {
        self.tags[bucket.index()].1
    }

    /// Returns the index of the Redis that has a bucket, by rendezvous hashing: an additional Redis takes its share from
    /// all others, and no other bucket moves. The order of the names does not matter.
    pub fn instance(&self, bucket: Bucket, names: &[String]) -> usize {
        rank(self.tag(bucket), names.iter().map(String::as_str)).unwrap_or(0)
    }
}

/// Returns the index of the first candidate for an item, by rendezvous hashing. Every caller with the same candidates
/// gets the same result.
pub fn rank<'a>(item: &str, candidates: impl Iterator<Item = &'a str>) -> Option<usize> {
    let weight = |candidate: &str| {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(candidate.as_bytes());
        hasher.update(b" ");
        hasher.update(item.as_bytes());
        // CRC is linear: inputs that differ in few bits give close results. A multiplication spreads them.
        let spread = u64::from(hasher.finalize()).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (spread ^ (spread >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    };
    let heaviest = candidates.enumerate().max_by_key(|(_, candidate)| (weight(candidate), *candidate));
    heaviest.map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_crc_is_redis_clusters() {
        assert_eq!(crc16(b"123456789"), 0x31c3, "the check value in Redis Cluster's specification");
        assert_eq!(slot(b"foo"), 12_182);
        assert_eq!(slot(b"user1000"), 3_443);
    }

    #[test]
    fn each_stripe_of_slots_has_its_tag() {
        for count in [16, 256, 4096] {
            let buckets = Buckets::new(count);
            assert_eq!(buckets.count(), usize::from(count));
            for bucket in buckets.all() {
                let stripe = usize::from(slot(buckets.tag(bucket).as_bytes())) * usize::from(count) / SLOTS as usize;
                assert_eq!(stripe, bucket.index());
                assert_eq!(buckets.slot(bucket), slot(buckets.tag(bucket).as_bytes()));
            }
        }
    }

    #[test]
    fn a_users_bucket_never_changes() {
        let buckets = Buckets::new(256);
        let found: Vec<usize> =
            (0..4).map(|number| buckets.of(UserId::from_uuid(Uuid::from_u128(number))).index()).collect();
        assert_eq!(found, [85, 195, 121, 239], "users would be searched in the wrong place");
        assert_eq!(buckets.tag(Bucket(0)), "b242");
    }

    #[test]
    fn users_spread_evenly_even_if_their_ids_are_consecutive() {
        let buckets = Buckets::new(16);
        let mut counts = [0_usize; 16];
        (0..16_000).for_each(|number| counts[buckets.of(UserId::from_uuid(Uuid::from_u128(number))).index()] += 1);
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
    }

    #[test]
    fn every_version_finds_what_another_has_stored() {
        let buckets = Buckets::new(256);
        assert_eq!(buckets.of_name("123456789").index(), 0x26, "the last byte of CRC-32's check value, cbf43926");
        let user = UserId::from_uuid(Uuid::from_bytes(*b"1234567890abcdef"));
        assert_eq!(buckets.of(user), buckets.of_name("1234567890abcdef"));
        assert_eq!(buckets.tag(buckets.of_name("123456789")), "b233", "the first tag of its stripe");
    }

    proptest! {
        #[test]
        fn an_additional_redis_takes_its_share_and_moves_nothing_else(
            names in prop::collection::btree_set("[a-z]{3,8}:[0-9]{2,4}", 2..12),
            added in "[A-Z]{3,8}:[0-9]{2,4}",
        ) {
            let buckets = Buckets::new(1024);
            let before: Vec<String> = names.into_iter().collect();
            let mut after = before.clone();
            after.push(added);
            let mut moved = 0;
            for bucket in buckets.all() {
                let (old, new) = (buckets.instance(bucket, &before), buckets.instance(bucket, &after));
                if old != new {
                    moved += 1;
                    prop_assert_eq!(new, before.len(), "moved between the old ones");
                }
                let mut reversed = before.clone();
                reversed.reverse();
                prop_assert_eq!(&reversed[buckets.instance(bucket, &reversed)], &before[old], "the order matters");
            }
            let share = buckets.count() / after.len();
            prop_assert!(moved > share / 2 && moved < share * 2, "{moved} of about {share}");
        }
    }
}
