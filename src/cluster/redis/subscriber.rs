//! Hears what happens in the buckets: one connection to each master, one subscription a bucket, and a watchdog.
//!
//! Clients for Redis lose sharded subscriptions without a word (a failover, a slot that moves, several channels named in
//! one command), and a demoted master answers everything but delivers nothing. So nothing is believed but messages: every
//! bucket ticks each second. After three silent seconds the bucket is subscribed again and ticked by ourselves; after
//! three more its connection is dropped, and the masters are asked for anew.

mod link;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hashbrown::HashMap;
use redis::{PushInfo, PushKind, RedisResult, Value};
use tokio::sync::{Semaphore, mpsc};

use super::connect::Host;
use super::reader::{self, Found};
use super::shard::Shard;
use super::sweeper::sweep_call;
use super::topology::Topology;
use crate::cluster::event::{Event, Message, read};
use crate::cluster::feed::{Feed, Steps};
use crate::cluster::slot::Bucket;
use crate::presence::time::Timestamp;
use link::{Incoming, Line, Link, LinkId};

/// How often the watchdog looks.
const WATCH: Duration = Duration::from_millis(500);

/// Three ticks.
const SILENCE: Duration = Duration::from_secs(3);

/// Buckets read at a time.
const READS: usize = 16;

/// One bucket's subscription.
struct BucketSubscription {
    bucket: Bucket,
    feed: Feed,
    /// The connection that the subscription is on, or is being made on.
    link: Option<LinkId>,
    /// When something was heard, or asked for.
    heard: Timestamp,
    /// Silent for so long that it was subscribed again.
    suspected: bool,
}

struct Subscriber {
    shard: Arc<Shard>,
    ears: Vec<BucketSubscription>,
    by_channel: HashMap<Vec<u8>, usize>,
    links: HashMap<Host, Link>,
    last_link: LinkId,
    topology: Option<Arc<Topology>>,
    asking: bool,
    sender: mpsc::UnboundedSender<Incoming>,
    reads: Arc<Semaphore>,
}

/// Listens for ever.
pub async fn run(shard: Arc<Shard>) {
    // What comes in is bounded by each link, and by one read, one answer a bucket and one a link.
    let (sender, mut incoming) = mpsc::unbounded_channel();
    let now = shard.clock.now();
    let ear = |&bucket| BucketSubscription { bucket, feed: Feed::default(), link: None, heard: now, suspected: false };
    let ears: Vec<BucketSubscription> = shard.buckets.iter().map(ear).collect();
    let channels = ears.iter().enumerate().map(|(index, ear)| (shard.keys.channel(ear.bucket).into_bytes(), index));
    let by_channel = channels.collect();
    let reads = Arc::new(Semaphore::new(READS));
    let (links, last_link, topology, asking) = (HashMap::new(), 0, None, false);
    let mut subscriber = Subscriber { shard, ears, by_channel, links, last_link, topology, asking, sender, reads };
    let mut watch = tokio::time::interval(WATCH);
    watch.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = watch.tick() => subscriber.watch_over(),
            Some(incoming) = incoming.recv() => subscriber.take(incoming),
        }
    }
}

impl Subscriber {
    fn take(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Push(link, push) => self.pushed(link, push),
            Incoming::Topology(found) => self.found(found),
            Incoming::Connected(host, id, line) => self.connected(&host, id, line),
            Incoming::Subscribed(index, id, subscribed) => self.subscribed(index, id, subscribed),
            Incoming::Read(index, found) => self.read(index, found),
        }
    }

    fn found(&mut self, found: RedisResult<Arc<Topology>>) {
        self.asking = false;
        match found {
            Ok(topology) => {
                self.topology = Some(topology);
                self.watch_over();
            }
            Err(error) => log::debug!("the masters are not known: {error}"),
        }
    }

    /// Sees to it that every bucket is subscribed where it is, and ticks.
    fn watch_over(&mut self) {
        self.shard.table.tell_refused();
        self.shard.table.release(self.shard.clock.now());
        let Some(topology) = self.topology.clone() else { return self.ask_for_topology() };
        let now = self.shard.clock.now();
        let mut wanted: HashMap<Host, Vec<usize>> = HashMap::new();
        let mut silent = Vec::new();
        let mut probes = Vec::new();
        for (index, ear) in self.ears.iter_mut().enumerate() {
            let Some(host) = topology.host(self.shard.keys.buckets().slot(ear.bucket)) else {
                self.topology = None;
                continue;
            };
            let id = self.links.get(host).map(|link| link.id);
            let is_silent = now.since(ear.heard) >= SILENCE;
            match (ear.link, id) {
                (Some(on), Some(id)) if on == id && !is_silent => {}
                (Some(on), Some(id)) if on == id && !ear.suspected => {
                    ear.suspected = true;
                    ear.heard = now;
                    ear.link = None;
                    wanted.entry(host.clone()).or_default().push(index);
                    probes.push(ear.bucket);
                }
                (Some(on), Some(id)) if on == id => silent.push(host.clone()),
                (Some(_) | None, _) => wanted.entry(host.clone()).or_default().push(index),
            }
        }
        self.probe(probes);
        silent.sort();
        silent.dedup();
        for host in silent {
            log::warn!(server = host.0, port = host.1; "a subscription is silent; connecting again");
            self.drop_link(&host);
        }
        for (host, indexes) in wanted {
            self.subscribe(host, indexes);
        }
        self.read_again();
        if self.topology.is_none() {
            self.ask_for_topology();
        }
    }

    /// Buckets that could not be read, and are not being read.
    fn read_again(&mut self) {
        for index in 0..self.ears.len() {
            let ear = &mut self.ears[index];
            if ear.link.is_some() && !ear.suspected && ear.feed.is_away() {
                let steps = ear.feed.missed();
                self.follow(index, steps);
            }
        }
    }

    fn ask_for_topology(&mut self) {
        if std::mem::replace(&mut self.asking, true) {
            return;
        }
        let (shard, sender) = (self.shard.clone(), self.sender.clone());
        tokio::spawn(async move {
            // The subscriber lives as long as this thread.
            let _gone = sender.send(Incoming::Topology(shard.pool.topology().await));
        });
    }

    /// Has a connection made if there is none, and channels subscribed on it, one command each: together they would have
    /// to be of one slot.
    fn subscribe(&mut self, host: Host, indexes: Vec<usize>) {
        let Some(link) = self.links.get(&host) else {
            self.last_link += 1;
            let link = Link::connect(self.last_link, host.clone(), self.shard.clone(), self.sender.clone());
            self.links.insert(host, link);
            return;
        };
        let Some(line) = link.line.clone() else { return };
        let id = link.id;
        for index in indexes {
            let ear = &mut self.ears[index];
            ear.link = Some(id);
            let channel = self.shard.keys.channel(ear.bucket);
            let (mut line, sender) = (line.clone(), self.sender.clone());
            tokio::spawn(async move {
                let result: RedisResult<Value> = redis::cmd("SSUBSCRIBE").arg(channel).query_async(&mut line).await;
                let _gone = sender.send(Incoming::Subscribed(index, id, result.map(drop)));
            });
        }
    }

    fn connected(&mut self, host: &Host, id: LinkId, line: RedisResult<Line>) {
        let Some(link) = self.links.get_mut(host).filter(|link| link.id == id) else { return };
        match line {
            Ok(line) => {
                link.line = Some(line);
                self.watch_over();
            }
            Err(error) => {
                log::debug!(server = host.0, port = host.1; "no connection for subscriptions: {error}");
                self.drop_link(host);
            }
        }
    }

    fn subscribed(&mut self, index: usize, id: LinkId, result: RedisResult<()>) {
        let ear = &mut self.ears[index];
        if ear.link != Some(id) {
            return;
        }
        if let Err(error) = result {
            // Moved to another master, or the connection is lost.
            log::debug!("a bucket is not subscribed: {error}");
            ear.link = None;
            self.forget_topology();
            return;
        }
        ear.heard = self.shard.clock.now();
        let steps = ear.feed.missed();
        self.follow(index, steps);
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's messages, most of which are not asked for")]
    fn pushed(&mut self, id: LinkId, push: PushInfo) {
        if let Some(link) = self.links.values().find(|link| link.id == id)
            && link.took_one()
        {
            self.missed_on(id);
        }
        match push.kind {
            PushKind::SMessage => {
                let [Value::BulkString(channel), Value::BulkString(payload)] = &push.data[..] else { return };
                let Some(&index) = self.by_channel.get(channel) else { return };
                if self.ears[index].link == Some(id) {
                    self.heard(index, &Bytes::copy_from_slice(payload));
                }
            }
            PushKind::SUnsubscribe => {
                // The slot has gone to another master.
                let Some(Value::BulkString(channel)) = push.data.first() else { return };
                if let Some(&index) = self.by_channel.get(channel) {
                    self.ears[index].link = None;
                    self.forget_topology();
                }
            }
            PushKind::Disconnection => {
                let host = self.links.iter().find(|(_, link)| link.id == id).map(|(host, _)| host.clone());
                if let Some(host) = host {
                    log::warn!(server = host.0, port = host.1; "a connection for subscriptions is lost");
                    self.drop_link(&host);
                    self.watch_over();
                }
            }
            // Answers to commands, and what is not asked for.
            _ => {}
        }
    }

    fn heard(&mut self, index: usize, payload: &Bytes) {
        let ear = &mut self.ears[index];
        ear.heard = self.shard.clock.now();
        ear.suspected = false;
        let steps = match read(payload) {
            Some(Message::Event(event)) => {
                self.shard.metrics.received.inc();
                ear.feed.event(event)
            }
            Some(Message::Tick(clock)) => ear.feed.tick(clock),
            Some(Message::NodeCommand(user, order)) => return link::carry_out(&self.shard, user, &order),
            // Of a later version.
            None => return,
        };
        self.follow(index, steps);
    }

    /// Carries out what a feed says.
    fn follow(&mut self, index: usize, steps: Steps) {
        let bucket = self.ears[index].bucket;
        steps.apply.iter().for_each(|event| self.apply(bucket, event));
        let Some(read) = steps.read else { return };
        let (shard, sender, reads) = (self.shard.clone(), self.sender.clone(), self.reads.clone());
        tokio::spawn(async move {
            let _permit = reads.acquire().await;
            let _gone = sender.send(Incoming::Read(index, reader::read(&shard, bucket, read).await));
        });
    }

    fn apply(&self, bucket: Bucket, event: &Event) {
        self.shard.table.apply(bucket, event);
        let own = self.shard.lease().incarnation;
        for change in event.changes.iter().filter(|change| change.incarnation == own) {
            self.shard.local.echo(change.user, event.clock, &change.value);
        }
    }

    fn read(&mut self, index: usize, found: Result<Found, crate::cluster::BackplaneError>) {
        let feed = &mut self.ears[index].feed;
        let steps = match found {
            Ok(Found::Log(clock, events)) => {
                self.shard.listener.missed();
                let steps = feed.log_read(clock, events);
                if !steps.apply.is_empty() {
                    self.shard.metrics.caught_up.inc();
                }
                steps
            }
            Ok(Found::Everything(clock, users)) => {
                self.shard.metrics.resyncs.inc();
                self.shard.listener.missed();
                let own = self.shard.lease().incarnation;
                for (user, stored) in users {
                    let here = stored.records.iter().find(|(incarnation, _)| *incarnation == own);
                    self.shard.local.found(user, stored.version, here.map_or(&[], |(_, value)| value));
                    self.shard.table.replace(user, stored);
                }
                feed.everything_read(clock)
            }
            Err(error) => {
                log::debug!("a bucket is not read: {error}");
                feed.not_read();
                return;
            }
        };
        self.follow(index, steps);
    }

    /// Messages of a connection were dropped: its buckets are read from the log.
    fn missed_on(&mut self, id: LinkId) {
        for index in 0..self.ears.len() {
            if self.ears[index].link == Some(id) {
                let steps = self.ears[index].feed.missed();
                self.follow(index, steps);
            }
        }
    }

    /// Has these buckets tick, in case that nobody else does.
    fn probe(&self, buckets: Vec<Bucket>) {
        if buckets.is_empty() {
            return;
        }
        self.shard.metrics.resubscribed.inc_by(buckets.len() as u64);
        let shard = self.shard.clone();
        tokio::spawn(async move {
            let calls: Vec<_> = buckets.iter().map(|&bucket| sweep_call(&shard, bucket, &[])).collect();
            let failed = shard.pool.call_all(&calls).await.iter().filter(|answer| answer.is_err()).count();
            log::debug!(buckets = buckets.len(), failed; "ticked silent buckets");
        });
    }

    fn drop_link(&mut self, host: &Host) {
        let Some(link) = self.links.remove(host) else { return };
        let now = self.shard.clock.now();
        for ear in self.ears.iter_mut().filter(|ear| ear.link == Some(link.id)) {
            ear.link = None;
            ear.suspected = false;
            ear.heard = now;
        }
        self.forget_topology();
    }

    fn forget_topology(&mut self) {
        self.topology = None;
        let shard = self.shard.clone();
        tokio::spawn(async move { shard.pool.forget_topology().await });
    }
}
