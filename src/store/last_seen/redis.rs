//! Last-seen records in Redis, shared by all nodes.
//!
//! Activities are collected and written each [`WRITE_INTERVAL`], in calls that share round trips. Most of them only say that
//! a user is still online: all of these of one bucket are one call. What cannot be written stays in the
//! inbox (`inbox.rs`), up to its bound. Redis itself removes expired records.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::inbox::{self, ActivityBatch, ActivityInbox};
use super::port::{LastSeenStore, TooManyWaiting};
use super::waiting::Activities;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::presence::id::UserId;
use crate::presence::last_seen::{Activity, LastSeen};
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;
use crate::redis::call::{RedisCall, parse_reply};
use crate::redis::slots::Bucket;
use crate::redis::storage::Storage;
use crate::store::redis::StoreScripts;
use crate::store::redis::request_limiter::RequestLimiter;
use crate::store::{StoreError, StoreFuture};

/// The kind of a last-seen record.
const KIND: &str = "t";

/// As on disk: together with the duration of a write, at most a second's activities can be lost.
const WRITE_INTERVAL: Duration = Duration::from_millis(750);

/// Maximum number of calls in one batch.
const BATCH: usize = 4096;

/// Maximum number of users in one call that only says they are online. Redis needs a millisecond for it.
const ONLINE_USERS: usize = 200;

/// Maximum number of such calls in one batch.
const ONLINE_BATCH: usize = 256;

/// Encodes the message that tells the other nodes about an activity: the user, whether the earlier record is forgotten
/// first, and the new values. The store publishes the message in the call that writes the record. `app` passes the encoder
/// of the cluster, which this module does not import.
pub type ActivityEncoder = fn(user: UserId, forget: bool, activity: &LastSeen) -> Vec<u8>;

/// Last-seen records in Redis, shared by all nodes.
pub struct RedisLastSeen {
    shared: Arc<RedisShared>,
    reading: RequestLimiter,
}

struct RedisShared {
    storage: Storage,
    scripts: StoreScripts,
    inbox: Mutex<ActivityInbox>,
    /// Wakes the writer before its time.
    wake: Notify,
    expire: Duration,
    clock: Clock,
    metrics: Metrics,
    encode: ActivityEncoder,
}

impl RedisLastSeen {
    /// Starts the writer. A record is forgotten `expire` after its last update.
    pub(in crate::store) fn start(
        storage: Storage,
        expire: Duration,
        clock: &Clock,
        metrics: &Metrics,
        encode: ActivityEncoder,
    ) -> Self {
        let (clock, metrics) = (clock.clone(), metrics.clone());
        let (scripts, inbox, wake) = (StoreScripts::new(), Mutex::default(), Notify::new());
        let shared = Arc::new(RedisShared { storage, scripts, inbox, wake, expire, clock, metrics, encode });
        drop(shared.storage.spawn(write_all(shared.clone())));
        Self { shared, reading: RequestLimiter::new() }
    }
}

impl LastSeenStore for RedisLastSeen {
    fn note(&self, activities: &mut dyn Iterator<Item = (UserId, Activity)>) -> Result<(), TooManyWaiting> {
        let mut has_state = false;
        let mut inspected = activities.inspect(|(_, activity)| has_state |= activity.text_bytes() > 0);
        let noted = self.shared.inbox.lock().note(&mut inspected, self.shared.metrics.last_seen());
        if has_state {
            // The user's next connection, on any node, begins with the last state.
            self.shared.wake.notify_one();
        }
        noted
    }

    fn read(&self, users: Vec<UserId>) -> StoreFuture<'_, Vec<LastSeen>> {
        let shared = self.shared.clone();
        self.reading.run(&self.shared.storage, async move { shared.read(users).await })
    }

    fn forget(&self, users: Vec<UserId>) -> StoreFuture<'_, ()> {
        let written = self.shared.inbox.lock().forget(users);
        self.shared.wake.notify_one();
        async { inbox::written(written?).await }.boxed()
    }

    fn close(&self) -> StoreFuture<'_, ()> {
        let written = self.shared.inbox.lock().close();
        self.shared.wake.notify_one();
        async {
            match written {
                Some(written) => inbox::written(written).await,
                None => Ok(()),
            }
        }
        .boxed()
    }
}

/// Without a close before, the writer writes once more and ends.
impl Drop for RedisLastSeen {
    fn drop(&mut self) {
        drop(self.shared.inbox.lock().close());
        self.shared.wake.notify_one();
    }
}

/// Writes until the store is closed or dropped.
async fn write_all(shared: Arc<RedisShared>) {
    let mut failing = false;
    loop {
        if !shared.inbox.lock().is_urgent() {
            // It is time to write, woken or not.
            let _woken = tokio::time::timeout(WRITE_INTERVAL, shared.wake.notified()).await;
        }
        let ActivityBatch { activities, waiters, is_last } = shared.inbox.lock().begin();
        let result = shared.write(&activities).await;
        drop(activities);
        match &result {
            Ok(()) => shared.inbox.lock().end(shared.metrics.last_seen()),
            Err(error) if !failing => log::error!("user statuses could not be written, trying again: {error}"),
            Err(_) => {}
        }
        failing = result.is_err();
        inbox::notify(waiters, &result);
        if is_last {
            return;
        }
    }
}

impl RedisShared {
    async fn write(&self, activities: &Activities) -> Result<(), StoreError> {
        if activities.is_empty() {
            return Ok(());
        }
        let now = self.clock.time_of_day();
        let buckets = self.storage.keys().buckets();
        let mut online: Vec<Vec<(UserId, Timestamp)>> = vec![Vec::new(); buckets.count()];
        let mut calls = Vec::new();
        for (&user, activity) in activities {
            match activity.only_online() {
                Some(at) => online[buckets.of(user).index()].push((user, at)),
                None => calls.push(self.activity_call(user, activity, now)),
            }
            if calls.len() == BATCH {
                self.call_all(std::mem::take(&mut calls)).await?;
            }
        }
        self.call_all(calls).await?;
        let mut calls = Vec::new();
        for (bucket, users) in buckets.all().zip(&online) {
            calls.extend(users.chunks(ONLINE_USERS).map(|users| self.online_call(bucket, users, now)));
            if calls.len() >= ONLINE_BATCH {
                self.call_all(std::mem::take(&mut calls)).await?;
            }
        }
        self.call_all(calls).await?;
        let last_seen = self.metrics.last_seen();
        last_seen.commits.inc();
        last_seen.written.inc_by(activities.len() as u64);
        Ok(())
    }

    async fn call_all(&self, calls: Vec<(Bucket, RedisCall<'_>)>) -> Result<(), StoreError> {
        for answer in self.storage.call_all(calls).await {
            answer?;
        }
        Ok(())
    }

    fn online_call(&self, bucket: Bucket, users: &[(UserId, Timestamp)], now: Timestamp) -> (Bucket, RedisCall<'_>) {
        let keys: Vec<String> = users.iter().map(|(user, _)| self.storage.keys().of_user(*user, KIND)).collect();
        let head = [self.expire.as_secs().max(1), now.as_secs().saturating_sub(self.expire.as_secs())];
        let seconds = head.into_iter().chain(users.iter().map(|(_, online)| online.as_secs()));
        let words: Vec<String> = seconds.map(|seconds| seconds.to_string()).collect();
        let words: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        (bucket, RedisCall::script(&self.scripts.online, &keys, &words))
    }

    fn activity_call(&self, user: UserId, activity: &Activity, now: Timestamp) -> (Bucket, RedisCall<'_>) {
        let mut last_seen = LastSeen::default();
        activity.apply(&mut last_seen);
        let flag = |set: bool| if set { "1" } else { "" };
        let state = last_seen.state.as_ref().map_or("", StatusText::as_str);
        let [active, online, remember, gone] = [
            last_seen.active.as_secs(),
            last_seen.online.as_secs(),
            self.expire.as_secs().max(1),
            now.as_secs().saturating_sub(self.expire.as_secs()),
        ]
        .map(|seconds| seconds.to_string());
        let (keys, forget) = (self.storage.keys(), activity.forgets());
        let bucket = keys.buckets().of(user);
        // That a user is still there is no news to anybody.
        let is_news = forget || last_seen.active > Timestamp::default();
        let message = if is_news { (self.encode)(user, forget, &last_seen) } else { Vec::new() };
        let channel = if is_news { keys.channel(bucket) } else { String::new() };
        let words =
            [flag(forget), &active, &online, flag(last_seen.state.is_some()), state, &remember, &gone, &channel];
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).chain([&message[..]]).collect();
        (bucket, RedisCall::script(&self.scripts.last_seen, &[keys.of_user(user, KIND)], &words))
    }

    async fn read(&self, users: Vec<UserId>) -> Result<Vec<LastSeen>, StoreError> {
        let now = self.clock.time_of_day();
        // What waits is looked up first: if it reaches Redis meanwhile, taking it in twice changes nothing.
        let waiting: HashMap<UserId, (Option<Activity>, Option<Activity>)> = {
            let inbox = self.inbox.lock();
            users.iter().map(|&user| (user, inbox.of(user))).collect()
        };
        let mut records = Vec::with_capacity(users.len());
        for some in users.chunks(BATCH) {
            let calls = some.iter().map(|user| self.fetch(*user)).collect();
            for (user, answer) in some.iter().zip(self.storage.call_all(calls).await) {
                let (active, online, state): (Option<u64>, Option<u64>, Option<String>) = parse_reply(answer?)?;
                let time = |seconds: Option<u64>| Timestamp::from_secs(seconds.unwrap_or(0));
                let state = state.and_then(|text| StatusText::new(&text).ok());
                let mut record = LastSeen { active: time(active), online: time(online), state };
                if record.is_expired(now, self.expire) {
                    record = LastSeen::default();
                }
                let (writing, filling) = &waiting[user];
                writing.iter().chain(filling).for_each(|activity| activity.apply(&mut record));
                records.push(record);
            }
        }
        Ok(records)
    }

    fn fetch(&self, user: UserId) -> (Bucket, RedisCall<'static>) {
        let keys = self.storage.keys();
        let mut command = redis::cmd("HMGET");
        command.arg(keys.of_user(user, KIND)).arg(&["a", "o", "s"]);
        (keys.buckets().of(user), RedisCall::plain(command))
    }
}
