//! The names of keys and channels in Redis. Everything of one bucket shares its hash tag; the nodes' own has `{n}`.
//!
//! | key | type | holds |
//! |---|---|---|
//! | `P:{t}:u:<user>` | hash | `n:<incarnation>` a node's record of the user; `c` how many of them; `v` version; `x` last exit |
//! | `P:{t}:x:<incarnation>` | hash | the users of that incarnation in the bucket |
//! | `P:{t}:i` | set | the incarnations that have users in the bucket |
//! | `P:{t}:l` | sorted set | who lingers: `<incarnation> <user>` by deadline, ms |
//! | `P:{t}:f` | set | fenced incarnations: dead, may not write |
//! | `P:{t}:b`, `P:{t}:g` | string, stream | the bucket's clock; its last events |
//! | `P:{t}:c` | channel | its events as they happen |
//! | `P:{t}:r:<window>:<user>` | list | the times of the latest calls |
//! | `P:{t}:t:<user>` | hash | when the user was last seen: `a` active, `o` online, `s` its state |
//! | `P:{t}:a:<user>` | string | the user's account, if it signed up here |
//! | `P:{t}:m:<name>` | string | who has a name that is unique (`t` is the name's bucket), see [`crate::store::redis`] |
//! | `P:{t}:s:<user>` | string | the account's standing |
//! | `P:{t}:p:<kind>:<user>` | string | its list of friends or blocked users |
//! | `P:{t}:p:<kind>` | set | the users of the bucket that have such a list, ids as bytes |
//! | `P:{n}:…` | | leases of nodes: `lease`, `dead`, `retired`, `names`, `meta`, `clock`, `epoch`, `inc`, `layout` |

use super::node::Incarnation;
use super::slot::{Bucket, Buckets, Slot, slot};
use crate::presence::id::UserId;

/// Hash tag of the nodes' own keys.
const NODES: &str = "n";

/// Makes names.
#[derive(Clone, Debug)]
pub struct Keys {
    prefix: String,
    buckets: Buckets,
}

impl Keys {
    /// Names that begin with `prefix`.
    pub fn new(prefix: &str, buckets: Buckets) -> Self {
        Self { prefix: prefix.to_owned(), buckets }
    }

    /// The buckets that the names are sorted into.
    pub fn buckets(&self) -> &Buckets {
        &self.buckets
    }

    /// A key of the nodes' own.
    pub fn nodes(&self, name: &str) -> String {
        format!("{}:{{{NODES}}}:{name}", self.prefix)
    }

    /// The slot of the nodes' own keys.
    pub fn nodes_slot() -> Slot {
        slot(NODES.as_bytes())
    }

    /// A key or the channel of a bucket: see the table above.
    pub fn of_bucket(&self, bucket: Bucket, name: &str) -> String {
        format!("{}:{{{}}}:{name}", self.prefix, self.buckets.tag(bucket))
    }

    /// What the keys of a bucket's users begin with.
    pub fn users(&self, bucket: Bucket) -> String {
        self.of_bucket(bucket, "u:")
    }

    /// The key of one user.
    pub fn user(&self, user: UserId) -> String {
        self.of_user(user, "u")
    }

    /// A key of one user, of some kind.
    pub fn of_user(&self, user: UserId, kind: &str) -> String {
        format!("{}:{}", self.of_bucket(self.buckets.of(user), kind), user.uuid().simple())
    }

    /// The key of a unique name, and its bucket.
    pub fn name(&self, name: &str) -> (Bucket, String) {
        let bucket = self.buckets.of_name(name);
        (bucket, self.of_bucket(bucket, &format!("m:{name}")))
    }

    /// The users of an incarnation in a bucket.
    pub fn index(&self, bucket: Bucket, incarnation: Incarnation) -> String {
        self.of_bucket(bucket, &format!("x:{incarnation}"))
    }

    /// The channel of a bucket.
    pub fn channel(&self, bucket: Bucket) -> String {
        self.of_bucket(bucket, "c")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_together_shares_a_hash_tag() {
        let keys = Keys::new("pre", Buckets::new(256));
        let user = UserId::parse("f13ead91-7889-4f81-afd8-ab814be9a6d0").unwrap();
        let bucket = keys.buckets().of(user);
        let tag = format!("{{{}}}", keys.buckets().tag(bucket));
        assert_eq!(keys.user(user), format!("pre:{tag}:u:f13ead9178894f81afd8ab814be9a6d0"));
        let incarnation = Incarnation::from(7);
        for key in [keys.index(bucket, incarnation), keys.channel(bucket), keys.of_user(user, "p:friends")] {
            assert!(key.starts_with(&format!("pre:{tag}:")), "{key}");
        }
        assert_eq!(keys.index(bucket, incarnation), format!("pre:{tag}:x:7"));
        assert_eq!(keys.nodes("lease"), "pre:{n}:lease");
    }
}
