//! Reads from Redis: the records of users, and the log of a bucket.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use redis::{Cmd, Value};

use super::instance::RedisInstance;
use crate::cluster::feed::FeedRead;
use crate::cluster::message::{BucketClock, BucketEvent, read_changes, read_exit, read_user};
use crate::cluster::node::Incarnation;
use crate::cluster::view::StoredUser;
use crate::presence::id::UserId;
use crate::redis::call::{RedisCall, parse_reply};
use crate::redis::error::CallError;
use crate::redis::slots::{Bucket, Slot};

/// Maximum number of users in one read.
const BATCH: usize = 256;

/// Pause after a failure.
const RETRY_PAUSE: Duration = Duration::from_millis(250);

/// The result of a read of a bucket.
pub enum BucketContents {
    /// The clock, then the events after the requested clock.
    Log(BucketClock, Vec<BucketEvent>),
    /// The clock, then every user that is watched or has a record of this node.
    Everything(BucketClock, Vec<(UserId, StoredUser)>),
}

/// Reads users that are watched for the first time. Runs until the backplane is dropped.
pub async fn run(instance: Arc<RedisInstance>) {
    loop {
        let users = instance.unread.take(BATCH).await;
        let mut failed = Vec::new();
        for (user, stored) in users.iter().zip(read_users(&instance, &users).await) {
            match stored {
                Ok(stored) => instance.view.load(*user, stored),
                Err(error) => {
                    log::debug!("a user is not read: {error}");
                    failed.push(*user);
                }
            }
        }
        if !failed.is_empty() {
            tokio::time::sleep(RETRY_PAUSE).await;
            instance.unread.add(failed.into_iter().filter(|user| instance.view.has(*user)));
        }
    }
}

/// Reads the records of these users, in their order.
pub async fn read_users(instance: &RedisInstance, users: &[UserId]) -> Vec<Result<StoredUser, CallError>> {
    let call = |user: &UserId| {
        let mut command = redis::cmd("HGETALL");
        command.arg(instance.keys.user(*user));
        (instance.slot(*user), RedisCall::plain(command))
    };
    let calls: Vec<(Slot, RedisCall<'_>)> = users.iter().map(call).collect();
    let replies = instance.pool.call_all(&calls).await;
    replies.into_iter().map(|reply| reply.and_then(read_stored)).collect()
}

fn read_stored(reply: Value) -> Result<StoredUser, CallError> {
    let fields: Vec<(Vec<u8>, Vec<u8>)> = parse_reply(reply)?;
    let mut stored = StoredUser::default();
    for (name, value) in fields {
        match &name[..] {
            b"v" => stored.version = number(&value).unwrap_or(0),
            b"x" => stored.last_exit = read_exit(&value),
            [b'n', b':', incarnation @ ..] => {
                if let Some(incarnation) = Incarnation::parse(incarnation) {
                    stored.records.push((incarnation, Bytes::from(value)));
                }
            }
            // A field of a later version, or one that only the scripts use.
            _ => {}
        }
    }
    stored.records.sort_by_key(|(incarnation, _)| *incarnation);
    Ok(stored)
}

/// Carries out a feed's read.
pub async fn read(instance: &RedisInstance, bucket: Bucket, read: FeedRead) -> Result<BucketContents, CallError> {
    let slot = instance.keys.buckets().slot(bucket);
    let mut get = redis::cmd("GET");
    get.arg(instance.keys.of_bucket(bucket, "b"));
    let clock: Option<BucketClock> = parse_reply(instance.pool.call(slot, &RedisCall::plain(get)).await?)?;
    let clock = clock.unwrap_or(0);
    match read {
        FeedRead::Log(after) => {
            let reply = instance.pool.call(slot, &RedisCall::plain(log_range(instance, bucket, after))).await?;
            Ok(BucketContents::Log(clock, read_log(reply)?))
        }
        FeedRead::Everything => {
            let mut users = instance.view.begin_read(bucket);
            users.extend(unwatched_own_users(instance, bucket).await?);
            let mut all = Vec::with_capacity(users.len());
            for chunk in users.chunks(BATCH) {
                for (user, stored) in chunk.iter().zip(read_users(instance, chunk).await) {
                    all.push((*user, stored?));
                }
            }
            Ok(BucketContents::Everything(clock, all))
        }
    }
}

/// Reads the users with a record of this node who are not watched: the record lingers, or Redis went back to an earlier
/// state.
async fn unwatched_own_users(instance: &RedisInstance, bucket: Bucket) -> Result<Vec<UserId>, CallError> {
    let mut command = redis::cmd("HKEYS");
    command.arg(instance.keys.index(bucket, instance.lease().incarnation));
    let users: Vec<Vec<u8>> =
        parse_reply(instance.pool.call(instance.keys.buckets().slot(bucket), &RedisCall::plain(command)).await?)?;
    Ok(users.iter().filter_map(|text| read_user(text)).filter(|user| !instance.view.has(*user)).collect())
}

fn log_range(instance: &RedisInstance, bucket: Bucket, after: BucketClock) -> Cmd {
    let mut command = redis::cmd("XRANGE");
    // Twice the log's length: Redis trims in whole nodes of its stream.
    let max = instance.log_length * 2;
    command.arg(instance.keys.of_bucket(bucket, "g")).arg(format!("({after}-0")).arg("+").arg("COUNT").arg(max);
    command
}

fn read_log(reply: Value) -> Result<Vec<BucketEvent>, CallError> {
    /// The names and values of an entry.
    type Fields = Vec<(String, Vec<u8>)>;
    let entries: Vec<(String, Fields)> = parse_reply(reply)?;
    let read = |(id, fields): (String, Fields)| {
        let field = |wanted: &str| fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
        let clock = number(id.split('-').next()?.as_bytes())?;
        let changes = read_changes(&Bytes::from(field("p")?.clone()))?;
        Some(BucketEvent { previous: number(field("q")?)?, clock, changes })
    };
    let events: Option<Vec<BucketEvent>> = entries.into_iter().map(read).collect();
    // An unreadable log counts as a gap: everything is read then.
    Ok(events.unwrap_or_default())
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
