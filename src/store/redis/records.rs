//! Records of users: read, and written where they are still what they were.

use redis::Value;

use super::Scripts;
use crate::presence::id::UserId;
use crate::redis::call::Call;
use crate::redis::call::parse_reply;
use crate::redis::slots::Bucket;
use crate::redis::storage::Storage;
use crate::store::StoreError;

/// How often a change is made anew after another node was faster. Of those that collide one always succeeds.
const TRIES: usize = 100;

/// Calls made ready at a time.
const BATCH: usize = 4096;

/// Where a record is.
#[derive(Clone, Debug)]
pub struct Place {
    bucket: Bucket,
    key: String,
    /// The set of those that there are, and what stands for this one in it.
    index: Option<(String, UserId)>,
}

impl Place {
    /// A user's record of some kind (see [`crate::redis::keys`]).
    pub fn new(storage: &Storage, user: UserId, kind: &str) -> Self {
        let keys = storage.keys();
        Self { bucket: keys.buckets().of(user), key: keys.of_user(user, kind), index: None }
    }

    /// Likewise, listed among those of its kind.
    pub fn listed(storage: &Storage, user: UserId, kind: &str) -> Self {
        let place = Self::new(storage, user, kind);
        let index = storage.keys().of_bucket(place.bucket, kind);
        Self { index: Some((index, user)), ..place }
    }
}

/// How a write went.
#[derive(Debug, PartialEq, Eq)]
pub enum Swapped {
    /// It is written.
    Done,
    /// It was not what it was thought to be, but this.
    Other(Option<Vec<u8>>),
    /// The time for it is over.
    Late,
}

/// The records.
pub struct Records {
    pub storage: Storage,
    pub scripts: Scripts,
}

impl Records {
    /// In this storage.
    pub fn new(storage: Storage) -> Self {
        Self { storage, scripts: Scripts::new() }
    }

    /// A record.
    pub async fn get(&self, place: &Place) -> Result<Option<Vec<u8>>, StoreError> {
        let call = get(&place.key);
        Ok(parse_reply(self.storage.call(place.bucket, &call).await?)?)
    }

    /// Records, in the order asked.
    pub async fn get_all(&self, places: &[Place]) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
        let mut found = Vec::with_capacity(places.len());
        for some in places.chunks(BATCH) {
            let calls = some.iter().map(|place| (place.bucket, get(&place.key))).collect();
            for answer in self.storage.call_all(calls).await {
                found.push(parse_reply(answer?)?);
            }
        }
        Ok(found)
    }

    /// The users of a bucket that have a listed record of a kind.
    pub async fn listed(&self, kind: &str) -> Result<Vec<UserId>, StoreError> {
        let keys = self.storage.keys();
        let call = |bucket| {
            let mut command = redis::cmd("SMEMBERS");
            command.arg(keys.of_bucket(bucket, kind));
            (bucket, Call::plain(command))
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

    /// Writes a record that is still `held`; not after `deadline`, ms since the Unix epoch by Redis's clock.
    pub async fn swap(
        &self,
        place: &Place,
        held: Option<&[u8]>,
        wanted: Option<&[u8]>,
        deadline: Option<u64>,
    ) -> Result<Swapped, StoreError> {
        let deadline = deadline.map(|deadline| deadline.to_string()).unwrap_or_default();
        let mut keys = vec![place.key.clone()];
        let mut words = vec![held.unwrap_or_default(), wanted.unwrap_or_default(), deadline.as_bytes()];
        if let Some((index, user)) = &place.index {
            keys.push(index.clone());
            words.push(user.uuid_bytes());
        }
        let call = Call::script(&self.scripts.swap, &keys, &words);
        let answer: Vec<Value> = parse_reply(self.storage.call(place.bucket, &call).await?)?;
        let mut fields = answer.into_iter();
        let outcome: u8 = parse_reply(fields.next().unwrap_or_default())?;
        match outcome {
            0 => Ok(Swapped::Done),
            1 => {
                let held: Vec<u8> = parse_reply(fields.next().unwrap_or_default())?;
                Ok(Swapped::Other((!held.is_empty()).then_some(held)))
            }
            _ => Ok(Swapped::Late),
        }
    }

    /// Changes a record by a rule, which sees what there is and says what there is to be, until nobody was faster.
    pub async fn edit<T>(
        &self,
        place: &Place,
        mut rule: impl FnMut(Option<&[u8]>) -> Result<(Option<Vec<u8>>, T), StoreError>,
    ) -> Result<T, StoreError> {
        let mut held = self.get(place).await?;
        for _ in 0..TRIES {
            let (wanted, answer) = rule(held.as_deref())?;
            if wanted == held {
                return Ok(answer);
            }
            match self.swap(place, held.as_deref(), wanted.as_deref(), None).await? {
                Swapped::Done => return Ok(answer),
                Swapped::Other(other) => held = other,
                Swapped::Late => break,
            }
        }
        Err(StoreError::Busy)
    }
}

fn get(key: &str) -> Call<'static> {
    let mut command = redis::cmd("GET");
    command.arg(key);
    Call::plain(command)
}
