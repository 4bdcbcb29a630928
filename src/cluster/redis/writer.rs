//! Writes the records of this node's users to Redis: one script call per change, many calls under way at a time.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tokio::sync::watch;

use super::instance::{ABSENT_USER_TTL, RedisInstance};
use super::lease::Lease;
use crate::cluster::NodeHealth;
use crate::cluster::message::{BucketClock, exit_code};
use crate::cluster::outgoing::{DesiredState, RecordWrite};
use crate::cluster::record::Record;
use crate::redis::call::RedisCall;
use crate::redis::error::CallError;
use crate::redis::slots::Slot;

/// Maximum number of writes in one batch.
const BATCH: usize = 256;

/// First pause after a failure. The pause doubles up to [`MAX_RETRY_PAUSE`].
const RETRY_PAUSE: Duration = Duration::from_millis(50);
const MAX_RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Runs until the backplane is dropped.
pub async fn run(instance: Arc<RedisInstance>) {
    let mut lease = instance.lease.clone();
    let mut incarnation = lease.borrow_and_update().incarnation;
    let mut pause = RETRY_PAUSE;
    loop {
        let known = lease.borrow_and_update().clone();
        if known.incarnation != incarnation {
            incarnation = known.incarnation;
            instance.outgoing.write_all(known.was_dead);
        }
        instance.metrics.waiting.set(i64::try_from(instance.outgoing.waiting()).unwrap_or(i64::MAX));
        let batch = match known.health {
            NodeHealth::Joined | NodeHealth::Degraded => instance.outgoing.take(BATCH),
            // Other nodes may be removing the records of this incarnation.
            NodeHealth::Isolated => Vec::new(),
        };
        if batch.is_empty() {
            wait(&instance, &mut lease).await;
            continue;
        }
        if write(&instance, &known, &batch).await {
            pause = RETRY_PAUSE;
        } else {
            tokio::time::sleep(pause).await;
            pause = MAX_RETRY_PAUSE.min(pause * 2);
        }
    }
}

async fn wait(instance: &RedisInstance, lease: &mut watch::Receiver<Arc<Lease>>) {
    tokio::select! {
        () = instance.outgoing.changed.notified() => {}
        changed = lease.changed() => {
            if changed.is_err() {
                // The lease thread has stopped: nothing may be written any more.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Writes a batch. Returns whether all of it was acknowledged.
async fn write(instance: &RedisInstance, lease: &Lease, batch: &[RecordWrite]) -> bool {
    let calls: Vec<(Slot, RedisCall<'_>)> = batch.iter().map(|write| call(instance, lease, write)).collect();
    let replies = instance.pool.call_all(&calls).await;
    let mut failure = None;
    for (write, reply) in batch.iter().zip(replies) {
        match reply {
            Ok(reply) => {
                let changed = read_change(&reply);
                instance.metrics.published.inc_by(u64::from(changed.is_some()));
                let former = instance.outgoing.written(write, changed.map(|(clock, _)| clock));
                // If the former incarnation's record is still there, no node has removed it.
                let is_removed = changed.is_none_or(|(_, is_there)| !is_there);
                if let Some(Ok(record)) = former.filter(|_| is_removed).map(|packed| Record::decode(&packed)) {
                    // Connections that ended in the meantime are included: their end is reported separately.
                    instance.listener.returned(write.user, record.open_connections());
                }
            }
            Err(error) => {
                instance.outgoing.failed(write);
                failure = Some(error);
            }
        }
    }
    match failure {
        None => true,
        Some(CallError::Refused(text)) if text.contains("FENCED") => {
            instance.renew_lease.notify_one();
            false
        }
        Some(error) => {
            log::debug!(waiting = instance.outgoing.waiting(); "presences are not written: {error}");
            false
        }
    }
}

/// Reads the reply to a write: the clock of the change, and whether the former incarnation still had a record of the user.
fn read_change(reply: &Value) -> Option<(BucketClock, bool)> {
    let Value::Array(fields) = reply else { return None };
    let [Value::BulkString(clock), Value::Int(is_there)] = &fields[..] else { return None };
    Some((std::str::from_utf8(clock).ok()?.parse().ok()?, *is_there != 0))
}

fn call<'a>(instance: &'a RedisInstance, lease: &Lease, write: &RecordWrite) -> (Slot, RedisCall<'a>) {
    let incarnation = lease.incarnation;
    let keys = &instance.keys;
    let bucket = keys.buckets().of(write.user);
    let names = [
        keys.user(write.user),
        keys.index(bucket, incarnation),
        keys.of_bucket(bucket, "f"),
        keys.of_bucket(bucket, "b"),
        keys.of_bucket(bucket, "g"),
        keys.of_bucket(bucket, "i"),
        keys.of_bucket(bucket, "l"),
        keys.index(bucket, lease.former.unwrap_or(incarnation)),
    ];
    let (exit, linger) = match &write.desired {
        DesiredState::Here(_) => ("-", String::new()),
        DesiredState::Lingering(_, span) => ("-", span.as_millis().to_string()),
        DesiredState::Gone(exit) => (exit_code(*exit), String::new()),
    };
    let former = lease.former.map(|former| former.to_string()).unwrap_or_default();
    let (incarnation, user) = (incarnation.to_string(), write.user.uuid().simple().to_string());
    let (log_length, channel) = (instance.log_length.to_string(), keys.channel(bucket));
    let arguments = [
        incarnation.as_bytes(),
        user.as_bytes(),
        write.desired.value(),
        exit.as_bytes(),
        ABSENT_USER_TTL.as_bytes(),
        log_length.as_bytes(),
        channel.as_bytes(),
        linger.as_bytes(),
        former.as_bytes(),
    ];
    (keys.buckets().slot(bucket), RedisCall::script(&instance.scripts.set, &names, &arguments))
}
