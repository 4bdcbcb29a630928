//! Records of users: reads, and swaps of records that have not changed in the meantime.

use std::time::Duration;

use redis::Value;

use super::StoreScripts;
use crate::presence::id::UserId;
use crate::redis::call::{RedisCall, parse_reply};
use crate::redis::slots::Bucket;
use crate::redis::storage::Storage;
use crate::store::StoreError;

/// Maximum number of attempts of a change while other nodes change the record at the same time. Of several concurrent
/// changes, one always succeeds.
const MAX_ATTEMPTS: usize = 100;

/// Maximum number of calls in one batch.
const BATCH: usize = 4096;

/// The key of a record, with its bucket and index.
#[derive(Clone, Debug)]
pub struct RecordKey {
    bucket: Bucket,
    key: String,
    /// The set that lists the existing records of the kind, and the entry of this one.
    index: Option<(String, UserId)>,
    /// Minimum TTL of the record after a write. `None` means that it stays.
    lifetime: Option<Duration>,
}

impl RecordKey {
    /// Returns the key of a user's record. [`crate::redis::keys`] lists the kinds.
    pub fn new(storage: &Storage, user: UserId, kind: &str) -> Self {
        let keys = storage.keys();
        Self { bucket: keys.buckets().of(user), key: keys.of_user(user, kind), index: None, lifetime: None }
    }

    /// Returns the key of a record that stays for `lifetime` after a write, or longer if an earlier write said so.
    pub fn expiring(storage: &Storage, user: UserId, kind: &str, lifetime: Duration) -> Self {
        Self { lifetime: Some(lifetime), ..Self::new(storage, user, kind) }
    }

    /// Returns the key of a record that is listed in the index of its kind.
    pub fn listed(storage: &Storage, user: UserId, kind: &str) -> Self {
        let record_key = Self::new(storage, user, kind);
        let index = storage.keys().of_bucket(record_key.bucket, kind);
        Self { index: Some((index, user)), ..record_key }
    }
}

/// The result of a swap.
#[derive(Debug, PartialEq, Eq)]
pub enum SwapResult {
    /// The record is written.
    Done,
    /// The record was another one, this one.
    Other(Option<Vec<u8>>),
    /// The deadline has passed.
    Late,
}

/// The records in a storage.
pub struct Records {
    pub storage: Storage,
    pub scripts: StoreScripts,
}

impl Records {
    /// Accesses the records of a storage.
    pub fn new(storage: Storage) -> Self {
        Self { storage, scripts: StoreScripts::new() }
    }

    /// Reads a record.
    pub async fn get(&self, record_key: &RecordKey) -> Result<Option<Vec<u8>>, StoreError> {
        let call = get(&record_key.key);
        Ok(parse_reply(self.storage.call(record_key.bucket, &call).await?)?)
    }

    /// Reads records, in the order of the request.
    pub async fn get_all(&self, record_keys: &[RecordKey]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let mut found = Vec::with_capacity(record_keys.len());
        for chunk in record_keys.chunks(BATCH) {
            let calls = chunk.iter().map(|record_key| (record_key.bucket, get(&record_key.key))).collect();
            for answer in self.storage.call_all(calls).await {
                found.push(parse_reply(answer?)?);
            }
        }
        Ok(found)
    }

    /// Reads the users with a listed record of a kind.
    pub async fn listed(&self, kind: &str) -> Result<Vec<UserId>, StoreError> {
        let keys = self.storage.keys();
        let call = |bucket| {
            let mut command = redis::cmd("SMEMBERS");
            command.arg(keys.of_bucket(bucket, kind));
            (bucket, RedisCall::plain(command))
        };
        let mut users = Vec::new();
        for answer in self.storage.call_all(keys.buckets().all().map(call).collect()).await {
            let members: Vec<Vec<u8>> = parse_reply(answer?)?;
            let user = |member: &Vec<u8>| uuid::Uuid::from_slice(member).ok().map(UserId::from_uuid);
            let members: Option<Vec<UserId>> = members.iter().map(user).collect();
            users.extend(members.ok_or_else(|| StoreError::Damaged(format!("the index {kind}")))?);
        }
        Ok(users)
    }

    /// Replaces `held` by `wanted`, if the record still is `held`. Not after `deadline`, in ms since the Unix epoch by Redis's
    /// clock.
    pub async fn swap(
        &self,
        record_key: &RecordKey,
        held: Option<&[u8]>,
        wanted: Option<&[u8]>,
        deadline: Option<u64>,
    ) -> Result<SwapResult, StoreError> {
        let deadline = deadline.map(|deadline| deadline.to_string()).unwrap_or_default();
        let mut keys = vec![record_key.key.clone()];
        let mut words = vec![held.unwrap_or_default(), wanted.unwrap_or_default(), deadline.as_bytes()];
        let member: &[u8] = match &record_key.index {
            Some((index, user)) => {
                keys.push(index.clone());
                user.uuid_bytes()
            }
            None => &[],
        };
        words.push(member);
        let lifetime = record_key.lifetime.map(|lifetime| lifetime.as_millis().to_string()).unwrap_or_default();
        words.push(lifetime.as_bytes());
        let call = RedisCall::script(&self.scripts.swap, &keys, &words);
        let answer: Vec<Value> = parse_reply(self.storage.call(record_key.bucket, &call).await?)?;
        let mut fields = answer.into_iter();
        let outcome: u8 = parse_reply(fields.next().unwrap_or_default())?;
        match outcome {
            0 => Ok(SwapResult::Done),
            1 => {
                let held: Vec<u8> = parse_reply(fields.next().unwrap_or_default())?;
                Ok(SwapResult::Other((!held.is_empty()).then_some(held)))
            }
            _ => Ok(SwapResult::Late),
        }
    }

    /// Changes a record by a rule, which gets the current record and returns the new one. Starts over if another node
    /// changed the record in the meantime.
    pub async fn edit<T>(
        &self,
        record_key: &RecordKey,
        mut rule: impl FnMut(Option<&[u8]>) -> Result<(Option<Vec<u8>>, T), StoreError>,
    ) -> Result<T, StoreError> {
        let mut held = self.get(record_key).await?;
        for _ in 0..MAX_ATTEMPTS {
            let (wanted, answer) = rule(held.as_deref())?;
            if wanted == held {
                return Ok(answer);
            }
            match self.swap(record_key, held.as_deref(), wanted.as_deref(), None).await? {
                SwapResult::Done => return Ok(answer),
                SwapResult::Other(other) => held = other,
                SwapResult::Late => break,
            }
        }
        Err(StoreError::Busy)
    }
}

fn get(key: &str) -> RedisCall<'static> {
    let mut command = redis::cmd("GET");
    command.arg(key);
    RedisCall::plain(command)
}
