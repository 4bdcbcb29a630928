//! Last-seen records in Redis.
//!
//! What is noted is gathered and written each [`WRITE_EVERY`], in calls that share round trips; of those who are still there
//! and did nothing, which is most of it, all of a bucket are one call. What cannot be written stays in line, up to its
//! bound. Redis itself forgets what has expired.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::Scripts;
use super::gate::RequestLimiter;
use crate::clock::Clock;
use crate::metrics::Metrics;
use crate::presence::id::UserId;
use crate::presence::last_seen::{Activity, LastSeen};
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;
use crate::redis::call::Call;
use crate::redis::call::parse_reply;
use crate::redis::slots::Bucket;
use crate::redis::storage::Storage;
use crate::store::last_seen::inbox::{self, Batch, Inbox};
use crate::store::last_seen::waiting::Activities;
use crate::store::last_seen::{LastSeenStore, TooManyWaiting};
use crate::store::{Answer, StoreError};

/// The kind of a last-seen record.
const KIND: &str = "t";

/// As on disk: with the time that a write takes, no more than a second's sightings can be lost.
const WRITE_EVERY: Duration = Duration::from_millis(750);

/// Calls made ready at a time.
const BATCH: usize = 4096;

/// Users in one call, where they are online and nothing else: Redis is busy with it for a millisecond.
const TICKS: usize = 200;

/// Such calls made ready at a time.
const TICK_BATCH: usize = 256;

/// Encodes the message that tells the other nodes about an activity: the user, whether the earlier record is forgotten
/// first, and the new values. The store publishes the message in the call that writes the record. `app` passes the encoder
/// of the cluster, which this module does not import.
pub type ActivityEncoder = fn(user: UserId, forget: bool, activity: &LastSeen) -> Vec<u8>;

/// Last-seen records in Redis, the same for all nodes.
pub struct RedisLastSeen {
    shared: Arc<Shared>,
    reading: RequestLimiter,
}

struct Shared {
    storage: Storage,
    scripts: Scripts,
    inbox: Mutex<Inbox>,
    /// Wakes the writer before its time.
    hurry: Notify,
    expire: Duration,
    clock: Clock,
    metrics: Metrics,
    encode: ActivityEncoder,
}

impl RedisLastSeen {
    /// Starts the writer. A record is forgotten `expire` after its last update.
    pub(super) fn start(
        storage: Storage,
        expire: Duration,
        clock: &Clock,
        metrics: &Metrics,
        encode: ActivityEncoder,
    ) -> Self {
        let (clock, metrics) = (clock.clone(), metrics.clone());
        let (scripts, inbox, hurry) = (Scripts::new(), Mutex::default(), Notify::new());
        let shared = Arc::new(Shared { storage, scripts, inbox, hurry, expire, clock, metrics, encode });
        drop(shared.storage.spawn(write_all(shared.clone())));
        Self { shared, reading: RequestLimiter::new() }
    }
}

impl LastSeenStore for RedisLastSeen {
    fn note(&self, sightings: &mut dyn Iterator<Item = (UserId, Activity)>) -> Result<(), TooManyWaiting> {
        let mut says = false;
        let mut watched = sightings.inspect(|(_, sighting)| says |= sighting.text_bytes() > 0);
        let noted = self.shared.inbox.lock().note(&mut watched, self.shared.metrics.last_seen());
        if says {
            // The user's next connection, on whichever node, begins with what it said last.
            self.shared.hurry.notify_one();
        }
        noted
    }

    fn read(&self, users: Vec<UserId>) -> Answer<'_, Vec<LastSeen>> {
        let shared = self.shared.clone();
        self.reading.run(&self.shared.storage, async move { shared.read(users).await })
    }

    fn forget(&self, users: Vec<UserId>) -> Answer<'_, ()> {
        let asked = self.shared.inbox.lock().forget(users);
        self.shared.hurry.notify_one();
        async { inbox::written(asked?).await }.boxed()
    }

    fn close(&self) -> Answer<'_, ()> {
        let asked = self.shared.inbox.lock().close();
        self.shared.hurry.notify_one();
        async {
            match asked {
                Some(asked) => inbox::written(asked).await,
                None => Ok(()),
            }
        }
        .boxed()
    }
}

/// Dropped without a close, the writer writes once more and ends.
impl Drop for RedisLastSeen {
    fn drop(&mut self) {
        drop(self.shared.inbox.lock().close());
        self.shared.hurry.notify_one();
    }
}

/// The writer: until the store is closed or dropped.
async fn write_all(shared: Arc<Shared>) {
    let mut failing = false;
    loop {
        if !shared.inbox.lock().is_urgent() {
            // Either way it is time to write.
            let _hurried = tokio::time::timeout(WRITE_EVERY, shared.hurry.notified()).await;
        }
        let Batch { sightings, asking, closed } = shared.inbox.lock().begin();
        let result = shared.write(&sightings).await;
        drop(sightings);
        match &result {
            Ok(()) => shared.inbox.lock().end(shared.metrics.last_seen()),
            Err(error) if !failing => log::error!("user statuses could not be written, trying on: {error}"),
            Err(_) => {}
        }
        failing = result.is_err();
        inbox::answer(asking, &result);
        if closed {
            return;
        }
    }
}

impl Shared {
    async fn write(&self, sightings: &Activities) -> Result<(), StoreError> {
        if sightings.is_empty() {
            return Ok(());
        }
        let now = self.clock.time_of_day();
        let buckets = self.storage.keys().buckets();
        let mut online: Vec<Vec<(UserId, Timestamp)>> = vec![Vec::new(); buckets.count()];
        let mut calls = Vec::new();
        for (&user, sighting) in sightings {
            match sighting.only_online() {
                Some(at) => online[buckets.of(user).index()].push((user, at)),
                None => calls.push(self.take_in(user, sighting, now)),
            }
            if calls.len() == BATCH {
                self.call_all(std::mem::take(&mut calls)).await?;
            }
        }
        self.call_all(calls).await?;
        let mut calls = Vec::new();
        for (bucket, users) in buckets.all().zip(&online) {
            calls.extend(users.chunks(TICKS).map(|users| self.take_in_online(bucket, users, now)));
            if calls.len() >= TICK_BATCH {
                self.call_all(std::mem::take(&mut calls)).await?;
            }
        }
        self.call_all(calls).await?;
        let last_seen = self.metrics.last_seen();
        last_seen.commits.inc();
        last_seen.written.inc_by(sightings.len() as u64);
        Ok(())
    }

    async fn call_all(&self, calls: Vec<(Bucket, Call<'_>)>) -> Result<(), StoreError> {
        for answer in self.storage.call_all(calls).await {
            answer?;
        }
        Ok(())
    }

    fn take_in_online(&self, bucket: Bucket, users: &[(UserId, Timestamp)], now: Timestamp) -> (Bucket, Call<'_>) {
        let keys: Vec<String> = users.iter().map(|(user, _)| self.storage.keys().of_user(*user, KIND)).collect();
        let head = [self.expire.as_secs().max(1), now.as_secs().saturating_sub(self.expire.as_secs())];
        let seconds = head.into_iter().chain(users.iter().map(|(_, online)| online.as_secs()));
        let words: Vec<String> = seconds.map(|seconds| seconds.to_string()).collect();
        let words: Vec<&[u8]> = words.iter().map(String::as_bytes).collect();
        (bucket, Call::script(&self.scripts.online, &keys, &words))
    }

    fn take_in(&self, user: UserId, sighting: &Activity, now: Timestamp) -> (Bucket, Call<'_>) {
        let mut last_seen = LastSeen::default();
        sighting.apply(&mut last_seen);
        let flag = |set: bool| if set { "1" } else { "" };
        let state = last_seen.state.as_ref().map_or("", StatusText::as_str);
        let [active, online, remember, gone] = [
            last_seen.active.as_secs(),
            last_seen.online.as_secs(),
            self.expire.as_secs().max(1),
            now.as_secs().saturating_sub(self.expire.as_secs()),
        ]
        .map(|seconds| seconds.to_string());
        let (keys, forget) = (self.storage.keys(), sighting.forgets());
        let bucket = keys.buckets().of(user);
        // That a user is still there is no news to anybody.
        let is_news = forget || last_seen.active > Timestamp::default();
        let told = if is_news { (self.encode)(user, forget, &last_seen) } else { Vec::new() };
        let channel = if is_news { keys.channel(bucket) } else { String::new() };
        let words =
            [flag(forget), &active, &online, flag(last_seen.state.is_some()), state, &remember, &gone, &channel];
        let words: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).chain([&told[..]]).collect();
        (bucket, Call::script(&self.scripts.last_seen, &[keys.of_user(user, KIND)], &words))
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
                writing.iter().chain(filling).for_each(|sighting| sighting.apply(&mut record));
                records.push(record);
            }
        }
        Ok(records)
    }

    fn fetch(&self, user: UserId) -> (Bucket, Call<'static>) {
        let keys = self.storage.keys();
        let mut command = redis::cmd("HMGET");
        command.arg(keys.of_user(user, KIND)).arg(&["a", "o", "s"]);
        (keys.buckets().of(user), Call::plain(command))
    }
}
