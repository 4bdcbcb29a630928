//! The names of all keys and channels in Redis. Everything of one bucket shares the bucket's hash tag. The keys of the
//! nodes share the hash tag `{n}`. `P` is the configured prefix, `t` a bucket's tag.
//!
//! | key | type | holds |
//! |---|---|---|
//! | `P:{t}:u:<user>` | hash | `n:<incarnation>` a node's record of the user; `c` number of such records; `v` version; `x` last exit |
//! | `P:{t}:x:<incarnation>` | hash | the users of that incarnation in the bucket |
//! | `P:{t}:i` | set | the incarnations that have users in the bucket |
//! | `P:{t}:l` | sorted set | lingering records: `<incarnation> <user>` by deadline, ms |
//! | `P:{t}:f` | set | fenced incarnations: they are dead and may not write |
//! | `P:{t}:b`, `P:{t}:g` | string, stream | the bucket's clock; its log of the last events |
//! | `P:{t}:c` | channel | its events and the commands to nodes |
//! | `P:{t}:r:<window>:<user>` | list | the times of the latest calls of a rate limit |
//! | `P:{t}:t:<user>` | hash | the last-seen record: `a` active, `o` online, `s` state |
//! | `P:{t}:a:<user>` | string | the user's account record |
//! | `P:{t}:m:<name>` | string | the claim to a unique name (`t` is the name's bucket), see `store/accounts/names` |
//! | `P:{t}:s:<user>` | string | the member record |
//! | `P:{t}:v:<user>` | string | the revoked tokens of the user, with a TTL |
//! | `P:{t}:p:<kind>:<user>` | string | the user's list of friends or blocked users |
//! | `P:{t}:p:<kind>` | set | the users of the bucket with such a list, ids as bytes |
//! | `P:{n}:…` | | the leases of nodes: `lease`, `dead`, `retired`, `names`, `meta`, `clock`, `epoch`, `inc`, `layout` |

use std::fmt::Display;

use super::slots::{Bucket, Buckets, Slot, slot};
use crate::presence::id::UserId;

/// Hash tag of the nodes' keys.
const NODES_TAG: &str = "n";

/// Makes the names of keys and channels.
#[derive(Clone, Debug)]
pub struct RedisKeys {
    prefix: String,
    buckets: Buckets,
}

impl RedisKeys {
    /// Makes names that begin with `prefix`.
    pub fn new(prefix: &str, buckets: Buckets) -> Self {
        Self { prefix: prefix.to_owned(), buckets }
    }

    /// Returns the buckets.
    pub fn buckets(&self) -> &Buckets {
        &self.buckets
    }

    /// Returns a key of the nodes.
    pub fn nodes(&self, name: &str) -> String {
        format!("{}:{{{NODES_TAG}}}:{name}", self.prefix)
    }

    /// Returns the slot of the nodes' keys.
    pub fn nodes_slot() -> Slot {
        slot(NODES_TAG.as_bytes())
    }

    /// Returns a key of a bucket. The module's table lists the names.
    pub fn of_bucket(&self, bucket: Bucket, name: &str) -> String {
        format!("{}:{{{}}}:{name}", self.prefix, self.buckets.tag(bucket))
    }

    /// Returns the common beginning of the keys of a bucket's users.
    pub fn user_prefix(&self, bucket: Bucket) -> String {
        self.of_bucket(bucket, "u:")
    }

    /// Returns the key of a user's presence records.
    pub fn user(&self, user: UserId) -> String {
        self.of_user(user, "u")
    }

    /// Returns the key of one kind of record of a user.
    pub fn of_user(&self, user: UserId, kind: &str) -> String {
        format!("{}:{}", self.of_bucket(self.buckets.of(user), kind), user.uuid().simple())
    }

    /// Returns the key of a unique name, with its bucket.
    pub fn name(&self, name: &str) -> (Bucket, String) {
        let bucket = self.buckets.of_name(name);
        (bucket, self.of_bucket(bucket, &format!("m:{name}")))
    }

    /// Returns the key of the index of an incarnation's users in a bucket.
    pub fn index(&self, bucket: Bucket, incarnation: impl Display) -> String {
        self.of_bucket(bucket, &format!("x:{incarnation}"))
    }

    /// Returns the channel of a bucket.
    pub fn channel(&self, bucket: Bucket) -> String {
        self.of_bucket(bucket, "c")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_one_bucket_share_a_hash_tag() {
        let keys = RedisKeys::new("pre", Buckets::new(256));
        let user = UserId::parse("f13ead91-7889-4f81-afd8-ab814be9a6d0").unwrap();
        let bucket = keys.buckets().of(user);
        let tag = format!("{{{}}}", keys.buckets().tag(bucket));
        assert_eq!(keys.user(user), format!("pre:{tag}:u:f13ead9178894f81afd8ab814be9a6d0"));
        for key in [keys.index(bucket, 7), keys.channel(bucket), keys.of_user(user, "p:friends")] {
            assert!(key.starts_with(&format!("pre:{tag}:")), "{key}");
        }
        assert_eq!(keys.index(bucket, 7), format!("pre:{tag}:x:7"));
        assert_eq!(keys.nodes("lease"), "pre:{n}:lease");
    }
}
