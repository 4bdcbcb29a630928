//! Every second, for the buckets that this node is first for: removes what dead nodes have and who lingered long enough,
//! and ticks. Two nodes that both think they are first do no harm: the script is idempotent.

use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashSet;
use redis::Value;

use super::lease::Lease;
use super::script::Call;
use super::shard::{REMEMBER, Shard};
use crate::cluster::NodeHealth;
use crate::cluster::event::read_user;
use crate::cluster::keys::Keys;
use crate::cluster::node::Incarnation;
use crate::cluster::record::Record;
use crate::cluster::slot::{Bucket, Slot, rank};
use crate::presence::id::UserId;

const INTERVAL: Duration = Duration::from_secs(1);

/// Records looked at in one call: 200 take 2 to 5 ms of Redis.
const LIMIT: usize = 200;

/// Calls one after the other for the same bucket before the other buckets have their turn.
const ROUNDS: usize = 1000;

/// Every so many rounds it is looked whether incarnations have records whom nobody knows.
const STRANGERS_EVERY: u64 = 10;

/// Within so many rounds everything of this node is written again: heals what a failover lost.
const REASSERT_WITHIN: usize = 600;

/// Sweeps for ever.
pub async fn run(shard: Arc<Shard>) {
    let mut interval = tokio::time::interval(INTERVAL);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut done: HashSet<(Bucket, Incarnation)> = HashSet::new();
    for round in 0_u64.. {
        interval.tick().await;
        shard.metrics.watched.set(i64::try_from(shard.table.len()).unwrap_or(i64::MAX));
        let lease = shard.lease();
        if lease.standing != NodeHealth::Joined {
            continue;
        }
        done.retain(|(_, incarnation)| lease.dead.contains(incarnation));
        let mine = first_for(&shard, &lease);
        sweep_all(&shard, &lease, &mine, &mut done).await;
        if round % STRANGERS_EVERY == STRANGERS_EVERY - 1 {
            look_for_strangers(&shard, &lease, &mine, &mut done).await;
        }
        shard.local.reassert(REASSERT_WITHIN);
    }
}

/// The buckets that this node is first for.
fn first_for(shard: &Shard, lease: &Lease) -> Vec<Bucket> {
    // Who has left has a lease for as long as what it has is held, and sweeps nothing.
    let at_work: Vec<Incarnation> = lease.live.iter().copied().filter(|one| !lease.retired.contains(one)).collect();
    let names: Vec<String> = at_work.iter().map(Incarnation::to_string).collect();
    let is_first = |bucket: &Bucket| {
        let first = rank(shard.keys.buckets().tag(*bucket), names.iter().map(String::as_str));
        first.is_none_or(|index| at_work[index] == lease.incarnation)
    };
    shard.buckets.iter().copied().filter(is_first).collect()
}

async fn sweep_all(shard: &Shard, lease: &Lease, mine: &[Bucket], done: &mut HashSet<(Bucket, Incarnation)>) {
    let mut left = mine.to_vec();
    for _ in 0..ROUNDS {
        if left.is_empty() {
            return;
        }
        let dead_in = |bucket: Bucket| {
            let dead = lease.dead.iter().copied().filter(|incarnation| !done.contains(&(bucket, *incarnation)));
            dead.collect::<Vec<Incarnation>>()
        };
        let dead: Vec<Vec<Incarnation>> = left.iter().map(|&bucket| dead_in(bucket)).collect();
        let calls: Vec<(Slot, Call<'_>)> =
            left.iter().zip(&dead).map(|(&bucket, dead)| sweep_call(shard, bucket, dead)).collect();
        let answers = shard.pool.call_all(&calls).await;
        drop(calls);
        let mut more = Vec::new();
        for ((bucket, dead), answer) in left.iter().zip(&dead).zip(answers) {
            match answer.map(swept) {
                Ok(Some((count, lost))) => {
                    shard.metrics.reaped.inc_by(count as u64);
                    for (user, record) in lost {
                        shard.listener.lost(user, record.lines());
                    }
                    if count >= LIMIT {
                        more.push(*bucket);
                    } else {
                        done.extend(dead.iter().map(|incarnation| (*bucket, *incarnation)));
                    }
                }
                Ok(None) => log::warn!("a bucket was swept with an answer of another form"),
                Err(error) => log::debug!("a bucket was not swept: {error}"),
            }
        }
        left = more;
    }
}

/// How many were looked at, and whom dead nodes had.
fn swept(answer: Value) -> Option<(usize, Vec<(UserId, Record)>)> {
    let Value::Array(fields) = answer else { return None };
    let (&Value::Int(count), lost) = fields.split_first()? else { return None };
    let read = |pair: &[Value]| {
        let [Value::BulkString(user), Value::BulkString(packed)] = pair else { return None };
        // A record of a later version is left out, as everywhere.
        Some((read_user(user)?, Record::decode(packed).ok()?))
    };
    Some((usize::try_from(count).ok()?, lost.chunks(2).filter_map(read).collect()))
}

/// The call that sweeps one bucket of these dead incarnations, or ticks.
pub fn sweep_call<'a>(shard: &'a Shard, bucket: Bucket, dead: &[Incarnation]) -> (Slot, Call<'a>) {
    let keys = &shard.keys;
    let names = ["l", "f", "b", "g", "i"].map(|name| keys.of_bucket(bucket, name));
    let mut arguments = vec![
        LIMIT.to_string(),
        REMEMBER.to_owned(),
        shard.log_length.to_string(),
        keys.channel(bucket),
        keys.users(bucket),
        keys.of_bucket(bucket, "x:"),
    ];
    arguments.extend(dead.iter().map(Incarnation::to_string));
    let arguments: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
    (keys.buckets().slot(bucket), Call::script(&shard.scripts.sweep, &names, &arguments))
}

/// Incarnations that have records and are neither alive nor dead come from a Redis that forgot: they are dead. Those that
/// are dead and have records again, because Redis went back to an earlier state, are swept again.
async fn look_for_strangers(shard: &Shard, lease: &Lease, mine: &[Bucket], done: &mut HashSet<(Bucket, Incarnation)>) {
    let members = |bucket: &Bucket| {
        let mut command = redis::cmd("SMEMBERS");
        command.arg(shard.keys.of_bucket(*bucket, "i"));
        (shard.keys.buckets().slot(*bucket), Call::plain(command))
    };
    let calls: Vec<(Slot, Call<'_>)> = mine.iter().map(members).collect();
    let mut strangers: HashSet<Incarnation> = HashSet::new();
    for (bucket, answer) in mine.iter().zip(shard.pool.call_all(&calls).await) {
        let Ok(answer) = answer else { continue };
        let found: Vec<Vec<u8>> = redis::from_redis_value(answer).unwrap_or_default();
        for incarnation in found.iter().filter_map(|text| Incarnation::parse(text)) {
            done.remove(&(*bucket, incarnation));
            strangers.insert(incarnation);
        }
    }
    strangers.retain(|incarnation| !lease.live.contains(incarnation) && !lease.dead.contains(incarnation));
    if strangers.is_empty() {
        return;
    }
    let keys = ["lease", "dead", "clock"].map(|name| shard.keys.nodes(name));
    let names: Vec<String> = strangers.iter().map(Incarnation::to_string).collect();
    let arguments: Vec<&[u8]> = names.iter().map(String::as_bytes).collect();
    match shard.pool.call(Keys::nodes_slot(), &Call::script(&shard.scripts.condemn, &keys, &arguments)).await {
        Ok(condemned) => log::info!(condemned:? = condemned; "records of nodes that nobody knows are removed"),
        Err(error) => log::debug!("records of unknown nodes are left for now: {error}"),
    }
}
