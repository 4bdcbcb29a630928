//! Reads what stands in Redis: users, and a bucket's log.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redis::{Cmd, Value};

use super::script::Call;
use super::shard::Shard;
use crate::cluster::BackplaneError;
use crate::cluster::event::{BucketClock, Event, read_changes, read_exit, read_user};
use crate::cluster::feed::Read;
use crate::cluster::node::Incarnation;
use crate::cluster::slot::{Bucket, Slot};
use crate::cluster::view::Stored;
use crate::presence::id::UserId;

/// Users read in one go.
const BATCH: usize = 256;

/// The pause after a failure.
const PAUSE: Duration = Duration::from_millis(250);

/// What was read of a bucket.
pub enum Found {
    /// The clock, then the events after the one asked for.
    Log(BucketClock, Vec<Event>),
    /// The clock, then everybody who is watched or has something of this node.
    Everything(BucketClock, Vec<(UserId, Stored)>),
}

/// Reads users that are watched for the first time, for ever.
pub async fn run(shard: Arc<Shard>) {
    loop {
        let users = shard.wanted.take(BATCH).await;
        let mut failed = Vec::new();
        for (user, stored) in users.iter().zip(read_users(&shard, &users).await) {
            match stored {
                Ok(stored) => shard.table.load(*user, stored),
                Err(error) => {
                    log::debug!("a user is not read: {error}");
                    failed.push(*user);
                }
            }
        }
        if !failed.is_empty() {
            tokio::time::sleep(PAUSE).await;
            shard.wanted.add(failed.into_iter().filter(|user| shard.table.has(*user)));
        }
    }
}

/// What stands of these users, in their order.
pub async fn read_users(shard: &Shard, users: &[UserId]) -> Vec<Result<Stored, BackplaneError>> {
    let call = |user: &UserId| {
        let mut command = redis::cmd("HGETALL");
        command.arg(shard.keys.user(*user));
        (slot(shard, *user), Call::plain(command))
    };
    let calls: Vec<(Slot, Call<'_>)> = users.iter().map(call).collect();
    let answers = shard.pool.call_all(&calls).await;
    answers.into_iter().map(|answer| answer.and_then(read_stored)).collect()
}

/// The slot of a user's keys.
pub fn slot(shard: &Shard, user: UserId) -> Slot {
    shard.keys.buckets().slot(shard.keys.buckets().of(user))
}

fn read_stored(answer: Value) -> Result<Stored, BackplaneError> {
    let fields: Vec<(Vec<u8>, Vec<u8>)> = parse(answer)?;
    let mut stored = Stored::default();
    for (name, value) in fields {
        match &name[..] {
            b"v" => stored.version = number(&value).unwrap_or(0),
            b"x" => stored.last_exit = read_exit(&value),
            [b'n', b':', incarnation @ ..] => {
                if let Some(incarnation) = Incarnation::parse(incarnation) {
                    stored.records.push((incarnation, Bytes::from(value)));
                }
            }
            // Of a later version, or only for the scripts.
            _ => {}
        }
    }
    stored.records.sort_by_key(|(incarnation, _)| *incarnation);
    Ok(stored)
}

/// Carries out what a feed wants to be read.
pub async fn read(shard: &Shard, bucket: Bucket, read: Read) -> Result<Found, BackplaneError> {
    let slot = shard.keys.buckets().slot(bucket);
    let mut get = redis::cmd("GET");
    get.arg(shard.keys.of_bucket(bucket, "b"));
    let clock: Option<BucketClock> = parse(shard.pool.call(slot, &Call::plain(get)).await?)?;
    let clock = clock.unwrap_or(0);
    match read {
        Read::Log(after) => {
            let answer = shard.pool.call(slot, &Call::plain(range(shard, bucket, after))).await?;
            Ok(Found::Log(clock, read_log(answer)?))
        }
        Read::Everything => {
            let mut users = shard.table.begin_read(bucket);
            users.extend(strangers(shard, bucket).await?);
            let mut all = Vec::with_capacity(users.len());
            for some in users.chunks(BATCH) {
                for (user, stored) in some.iter().zip(read_users(shard, some).await) {
                    all.push((*user, stored?));
                }
            }
            Ok(Found::Everything(clock, all))
        }
    }
}

/// Who has something of this node and is not watched: it lingers, or Redis went back to an earlier state.
async fn strangers(shard: &Shard, bucket: Bucket) -> Result<Vec<UserId>, BackplaneError> {
    let mut command = redis::cmd("HKEYS");
    command.arg(shard.keys.index(bucket, shard.lease().incarnation));
    let users: Vec<Vec<u8>> = parse(shard.pool.call(shard.keys.buckets().slot(bucket), &Call::plain(command)).await?)?;
    Ok(users.iter().filter_map(|text| read_user(text)).filter(|user| !shard.table.has(*user)).collect())
}

fn range(shard: &Shard, bucket: Bucket, after: BucketClock) -> Cmd {
    let mut command = redis::cmd("XRANGE");
    // Twice what is kept: Redis trims in whole nodes of its stream.
    let most = shard.log_length * 2;
    command.arg(shard.keys.of_bucket(bucket, "g")).arg(format!("({after}-0")).arg("+").arg("COUNT").arg(most);
    command
}

fn read_log(answer: Value) -> Result<Vec<Event>, BackplaneError> {
    /// Names and values.
    type Fields = Vec<(String, Vec<u8>)>;
    let entries: Vec<(String, Fields)> = parse(answer)?;
    let read = |(id, fields): (String, Fields)| {
        let field = |wanted: &str| fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let clock = number(id.split('-').next()?.as_bytes())?;
        let changes = read_changes(&Bytes::from(field("p")?.clone()))?;
        Some(Event { previous: number(field("q")?)?, clock, changes })
    };
    let events: Option<Vec<Event>> = entries.into_iter().map(read).collect();
    // A log that cannot be read does not lead on: everything is read then.
    Ok(events.unwrap_or_default())
}

/// Reads an answer as what it ought to be.
pub fn parse<T: redis::FromRedisValue>(answer: Value) -> Result<T, BackplaneError> {
    redis::from_redis_value(answer).map_err(|error| BackplaneError::Refused(error.to_string()))
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
