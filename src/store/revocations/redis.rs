//! Revoked tokens in Redis, shared by all nodes.
//!
//! Each check reads Redis: a node that cached "nothing is revoked" would let a token in after its logout at another node.
//! A record has a TTL, so that Redis removes it with the tokens that it revokes.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Mutex;

use super::port::RevocationStore;
use super::record::{after, decode, encode};
use crate::auth::revocation::{Revocation, UserRevocations};
use crate::presence::id::UserId;
use crate::redis::storage::Storage;
use crate::store::StoreFuture;
use crate::store::redis::records::{RecordKey, Records};
use crate::store::redis::request_limiter::RequestLimiter;

/// The kind of the record in the names of keys.
const KIND: &str = "v";

/// Revoked tokens in Redis, shared by all nodes.
pub struct RedisRevocations {
    records: Arc<Records>,
    /// One lock per bucket, so that the logouts of one user at this node do not compete.
    locks: Vec<Arc<Mutex<()>>>,
    reading: RequestLimiter,
    writing: RequestLimiter,
}

impl RedisRevocations {
    /// Opens the revoked tokens of a storage.
    pub(in crate::store) fn new(storage: Storage) -> Self {
        let locks = storage.keys().buckets().all().map(|_| Arc::default()).collect();
        Self {
            records: Arc::new(Records::new(storage)),
            locks,
            reading: RequestLimiter::new(),
            writing: RequestLimiter::new(),
        }
    }
}

impl RevocationStore for RedisRevocations {
    fn revoke(&self, user: UserId, revocation: Revocation) -> StoreFuture<'_, ()> {
        let lock = self.locks[self.records.storage.keys().buckets().of(user).index()].clone();
        let records = self.records.clone();
        self.writing.run(&self.records.storage, async move {
            let _turn = lock.lock().await;
            // The script never shortens a TTL: an older entry of the record may need a longer one.
            let mut alone = UserRevocations::default();
            alone.apply(&revocation);
            let lifetime = alone.expires().since(revocation.now).max(revocation.lifetime) + Duration::from_secs(1);
            let key = RecordKey::expiring(&records.storage, user, KIND, lifetime);
            let rule = |record: Option<&[u8]>| Ok((Some(encode(&after(user, record, &revocation))), ()));
            records.edit(&key, rule).await
        })
    }

    fn revocations(&self, user: UserId) -> StoreFuture<'_, UserRevocations> {
        let records = self.records.clone();
        self.reading.run(&self.records.storage, async move {
            let record = records.get(&RecordKey::new(&records.storage, user, KIND)).await?;
            record.map_or(Ok(UserRevocations::default()), |record| decode(user, &record))
        })
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        self.writing.close().boxed()
    }
}
