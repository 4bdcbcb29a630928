//! Has Redis know this node's users: one script call a change, as many under way as wait.

use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tokio::sync::watch;

use super::lease::Lease;
use super::script::Call;
use super::shard::{REMEMBER, Shard};
use crate::cluster::event::{BucketClock, exit_letter};
use crate::cluster::outgoing::{DesiredState, Write};
use crate::cluster::record::Record;
use crate::cluster::slot::Slot;
use crate::cluster::{BackplaneError, NodeHealth};

/// Writes in one go.
const BATCH: usize = 256;

/// The first pause after a failure; it doubles up to the last.
const PAUSE: Duration = Duration::from_millis(50);
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// Writes for ever.
pub async fn run(shard: Arc<Shard>) {
    let mut lease = shard.lease.clone();
    let mut incarnation = lease.borrow_and_update().incarnation;
    let mut pause = PAUSE;
    loop {
        let known = lease.borrow_and_update().clone();
        if known.incarnation != incarnation {
            incarnation = known.incarnation;
            shard.local.write_all(known.was_dead);
        }
        shard.metrics.waiting.set(i64::try_from(shard.local.waiting()).unwrap_or(i64::MAX));
        let batch = match known.standing {
            NodeHealth::Joined | NodeHealth::Degraded => shard.local.take(BATCH),
            // The others may be removing what this incarnation has.
            NodeHealth::Isolated => Vec::new(),
        };
        if batch.is_empty() {
            wait(&shard, &mut lease).await;
            continue;
        }
        if write(&shard, &known, &batch).await {
            pause = PAUSE;
        } else {
            tokio::time::sleep(pause).await;
            pause = MAX_PAUSE.min(pause * 2);
        }
    }
}

async fn wait(shard: &Shard, lease: &mut watch::Receiver<Arc<Lease>>) {
    tokio::select! {
        () = shard.local.changed.notified() => {}
        changed = lease.changed() => {
            if changed.is_err() {
                // The heart has stopped: nothing may be written any more.
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Writes a batch; whether all of it was acknowledged.
async fn write(shard: &Shard, lease: &Lease, batch: &[Write]) -> bool {
    let calls: Vec<(Slot, Call<'_>)> = batch.iter().map(|write| call(shard, lease, write)).collect();
    let answers = shard.pool.call_all(&calls).await;
    let mut failure = None;
    for (write, answer) in batch.iter().zip(answers) {
        match answer {
            Ok(answer) => {
                let changed = read_change(&answer);
                shard.metrics.published.inc_by(u64::from(changed.is_some()));
                let orphaned = shard.local.written(write, changed.map(|(clock, _)| clock));
                // What stands still nobody has removed.
                let is_removed = changed.is_none_or(|(_, stands)| !stands);
                if let Some(Ok(record)) = orphaned.filter(|_| is_removed).map(|packed| Record::decode(&packed)) {
                    // Those that ended meanwhile too: that is told of besides.
                    shard.listener.returned(write.user, record.lines());
                }
            }
            Err(error) => {
                shard.local.failed(write);
                failure = Some(error);
            }
        }
    }
    match failure {
        None => true,
        Some(BackplaneError::Refused(text)) if text.contains("FENCED") => {
            shard.poke.notify_one();
            false
        }
        Some(error) => {
            log::debug!(waiting = shard.local.waiting(); "presences are not written: {error}");
            false
        }
    }
}

/// The clock of a change, and whether the life before had something of the user.
fn read_change(answer: &Value) -> Option<(BucketClock, bool)> {
    let Value::Array(fields) = answer else { return None };
    let [Value::BulkString(clock), Value::Int(stands)] = &fields[..] else { return None };
    Some((std::str::from_utf8(clock).ok()?.parse().ok()?, *stands != 0))
}

fn call<'a>(shard: &'a Shard, lease: &Lease, write: &Write) -> (Slot, Call<'a>) {
    let incarnation = lease.incarnation;
    let keys = &shard.keys;
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
        DesiredState::Gone(exit) => (exit_letter(*exit), String::new()),
    };
    let former = lease.former.map(|former| former.to_string()).unwrap_or_default();
    let (incarnation, user) = (incarnation.to_string(), write.user.uuid().simple().to_string());
    let (log_length, channel) = (shard.log_length.to_string(), keys.channel(bucket));
    let arguments = [
        incarnation.as_bytes(),
        user.as_bytes(),
        write.desired.value(),
        exit.as_bytes(),
        REMEMBER.as_bytes(),
        log_length.as_bytes(),
        channel.as_bytes(),
        linger.as_bytes(),
        former.as_bytes(),
    ];
    (keys.buckets().slot(bucket), Call::script(&shard.scripts.set, &names, &arguments))
}
