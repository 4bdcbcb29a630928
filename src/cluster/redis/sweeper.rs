//! Sweeps the buckets of this node every second: removes the records of dead nodes and the expired lingering records, or
//! ticks. A node sweeps the buckets that it ranks first for. Two nodes that both rank themselves first do no harm: the
//! script is idempotent.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashSet;
use redis::Value;

use super::instance::{ABSENT_USER_TTL, RedisInstance};
use super::lease::Lease;
use crate::cluster::NodeHealth;
use crate::cluster::message::read_user;
use crate::cluster::node::Incarnation;
use crate::cluster::record::Record;
use crate::presence::id::UserId;
use crate::redis::call::RedisCall;
use crate::redis::keys::RedisKeys;
use crate::redis::slots::{Bucket, Slot, rank};

const INTERVAL: Duration = Duration::from_secs(1);

/// Maximum number of records in one call: 200 take 2 to 5 ms of Redis.
const MAX_RECORDS: usize = 200;

/// Maximum number of consecutive calls for the same bucket before the next sweep of all buckets.
const MAX_CALLS: usize = 1000;

/// Number of sweeps between two searches for records of unknown incarnations.
const SWEEPS_PER_SEARCH: u64 = 10;

/// Number of sweeps within which every record of this node is written again. This restores what a failover lost.
const SWEEPS_PER_REASSERT: usize = 600;

/// Runs until the backplane is dropped.
pub async fn run(instance: Arc<RedisInstance>) {
    let mut interval = tokio::time::interval(INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut done: HashSet<(Bucket, Incarnation)> = HashSet::new();
    for sweep in 0_u64.. {
        interval.tick().await;
        instance.metrics.watched.set(i64::try_from(instance.view.len()).unwrap_or(i64::MAX));
        let lease = instance.lease();
        if lease.health != NodeHealth::Joined {
            continue;
        }
        done.retain(|(_, incarnation)| lease.dead.contains(incarnation));
        let own = own_buckets(&instance, &lease);
        sweep_all(&instance, &lease, &own, &mut done).await;
        if sweep % SWEEPS_PER_SEARCH == SWEEPS_PER_SEARCH - 1 {
            condemn_unknown(&instance, &lease, &own, &mut done).await;
        }
        instance.outgoing.reassert(SWEEPS_PER_REASSERT);
    }
}

/// Returns the buckets that this node ranks first for.
fn own_buckets(instance: &RedisInstance, lease: &Lease) -> Vec<Bucket> {
    // A node that has left keeps its lease while its records are held, but sweeps nothing.
    let active: Vec<Incarnation> = lease.live.iter().copied().filter(|one| !lease.retired.contains(one)).collect();
    let names: Vec<String> = active.iter().map(Incarnation::to_string).collect();
    let is_first = |bucket: &Bucket| {
        let first = rank(instance.keys.buckets().tag(*bucket), names.iter().map(String::as_str));
        first.is_none_or(|index| active[index] == lease.incarnation)
    };
    instance.buckets.iter().copied().filter(is_first).collect()
}

async fn sweep_all(instance: &RedisInstance, lease: &Lease, own: &[Bucket], done: &mut HashSet<(Bucket, Incarnation)>) {
    let mut left = own.to_vec();
    for _ in 0..MAX_CALLS {
        if left.is_empty() {
            return;
        }
        let dead_in = |bucket: Bucket| {
            let dead = lease.dead.iter().copied().filter(|incarnation| !done.contains(&(bucket, *incarnation)));
            dead.collect::<Vec<Incarnation>>()
        };
        let dead: Vec<Vec<Incarnation>> = left.iter().map(|&bucket| dead_in(bucket)).collect();
        let calls: Vec<(Slot, RedisCall<'_>)> =
            left.iter().zip(&dead).map(|(&bucket, dead)| sweep_call(instance, bucket, dead)).collect();
        let replies = instance.pool.call_all(&calls).await;
        drop(calls);
        let mut more = Vec::new();
        for ((bucket, dead), reply) in left.iter().zip(&dead).zip(replies) {
            match reply.map(read_swept) {
                Ok(Some((count, lost))) => {
                    instance.metrics.reaped.inc_by(count as u64);
                    for (user, record) in lost {
                        instance.listener.lost(user, record.open_connections());
                    }
                    if count >= MAX_RECORDS {
                        more.push(*bucket);
                    } else {
                        done.extend(dead.iter().map(|incarnation| (*bucket, *incarnation)));
                    }
                }
                Ok(None) => log::warn!("the reply to a sweep of a bucket has another form"),
                Err(error) => log::debug!("a bucket was not swept: {error}"),
            }
        }
        left = more;
    }
}

/// Reads the reply to a sweep: the number of examined records, and the removed records of dead nodes.
fn read_swept(reply: Value) -> Option<(usize, Vec<(UserId, Record)>)> {
    let Value::Array(fields) = reply else { return None };
    let (&Value::Int(count), lost) = fields.split_first()? else { return None };
    let read = |pair: &[Value]| {
        let [Value::BulkString(user), Value::BulkString(packed)] = pair else { return None };
        // A record of a later version is left out.
        Some((read_user(user)?, Record::decode(packed).ok()?))
    };
    Some((usize::try_from(count).ok()?, lost.chunks(2).filter_map(read).collect()))
}

/// Returns the call that sweeps the records of these dead incarnations from one bucket, or ticks.
pub fn sweep_call<'a>(instance: &'a RedisInstance, bucket: Bucket, dead: &[Incarnation]) -> (Slot, RedisCall<'a>) {
    let keys = &instance.keys;
    let names = ["l", "f", "b", "g", "i"].map(|name| keys.of_bucket(bucket, name));
    let mut arguments = vec![
        MAX_RECORDS.to_string(),
        ABSENT_USER_TTL.to_owned(),
        instance.log_length.to_string(),
        keys.channel(bucket),
        keys.user_prefix(bucket),
        keys.of_bucket(bucket, "x:"),
    ];
    arguments.extend(dead.iter().map(Incarnation::to_string));
    let arguments: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
    (keys.buckets().slot(bucket), RedisCall::script(&instance.scripts.sweep, &names, &arguments))
}

/// Declares the incarnations dead that have records and are neither alive nor dead: Redis lost their state. Dead
/// incarnations with records, which are there again because Redis went back to an earlier state, are swept again.
async fn condemn_unknown(
    instance: &RedisInstance,
    lease: &Lease,
    own: &[Bucket],
    done: &mut HashSet<(Bucket, Incarnation)>,
) {
    let members = |bucket: &Bucket| {
        let mut command = redis::cmd("SMEMBERS");
        command.arg(instance.keys.of_bucket(*bucket, "i"));
        (instance.keys.buckets().slot(*bucket), RedisCall::plain(command))
    };
    let calls: Vec<(Slot, RedisCall<'_>)> = own.iter().map(members).collect();
    let mut unknown: HashSet<Incarnation> = HashSet::new();
    for (bucket, reply) in own.iter().zip(instance.pool.call_all(&calls).await) {
        let Ok(reply) = reply else { continue };
        let found: Vec<Vec<u8>> = redis::from_redis_value(reply).unwrap_or_default();
        for incarnation in found.iter().filter_map(|text| Incarnation::parse(text)) {
            done.remove(&(*bucket, incarnation));
            unknown.insert(incarnation);
        }
    }
    unknown.retain(|incarnation| !lease.live.contains(incarnation) && !lease.dead.contains(incarnation));
    if unknown.is_empty() {
        return;
    }
    let keys = ["lease", "dead", "clock"].map(|name| instance.keys.nodes(name));
    let names: Vec<String> = unknown.iter().map(Incarnation::to_string).collect();
    let arguments: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
    match instance
        .pool
        .call(RedisKeys::nodes_slot(), &RedisCall::script(&instance.scripts.condemn, &keys, &arguments))
        .await
    {
        Ok(condemned) => log::info!(condemned:? = condemned; "records of unknown nodes are removed"),
        Err(error) => log::debug!("records of unknown nodes are not removed yet: {error}"),
    }
}
