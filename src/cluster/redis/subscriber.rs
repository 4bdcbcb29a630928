//! Receives the events of the buckets: one connection to each master, one subscription per bucket, and a watchdog.
//!
//! Clients for Redis lose sharded subscriptions without an error (after a failover, when a slot moves, when one command names
//! several channels), and a demoted master replies to everything but delivers nothing. So the subscriber trusts only
//! messages: every bucket ticks each second. After three seconds of silence it subscribes the bucket again and ticks it
//! itself. After three more seconds it drops the connection and discovers the masters again.

mod connection;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hashbrown::HashMap;
use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, RedisResult, Value};
use tokio::sync::{Semaphore, mpsc};

use super::instance::RedisInstance;
use super::reader::{self, BucketContents};
use super::sweeper::sweep_call;
use crate::cluster::NodeCommand;
use crate::cluster::feed::{Feed, FeedSteps};
use crate::cluster::message::{BucketEvent, BucketMessage, read};
use crate::presence::id::UserId;
use crate::presence::time::Timestamp;
use crate::redis::connector::Host;
use crate::redis::error::CallError;
use crate::redis::slots::Bucket;
use crate::redis::topology::Topology;
use connection::{SubscriberEvent, SubscriptionConnection, SubscriptionConnectionId};

/// Interval of the watchdog.
const WATCHDOG_INTERVAL: Duration = Duration::from_millis(500);

/// Time without a message after which a subscription is suspected: three ticks.
const MAX_SILENCE: Duration = Duration::from_secs(3);

/// Maximum number of buckets that are read at a time.
const MAX_READS: usize = 16;

/// The subscription of one bucket.
struct BucketSubscription {
    bucket: Bucket,
    feed: Feed,
    /// The connection of the subscription, subscribed or being subscribed.
    connection: Option<SubscriptionConnectionId>,
    /// Time of the last message, or of the last subscription.
    last_heard: Timestamp,
    /// The subscription was silent for so long that it was made again.
    suspected: bool,
}

struct BucketSubscriber {
    instance: Arc<RedisInstance>,
    subscriptions: Vec<BucketSubscription>,
    /// Indexes into `subscriptions`.
    by_channel: HashMap<Vec<u8>, usize>,
    connections: HashMap<Host, SubscriptionConnection>,
    last_connection: SubscriptionConnectionId,
    topology: Option<Arc<Topology>>,
    /// A discovery of the topology is under way.
    discovering: bool,
    sender: mpsc::UnboundedSender<SubscriberEvent>,
    /// Limits the reads that are under way.
    reads: Arc<Semaphore>,
}

/// Runs until the backplane is dropped.
pub async fn run(instance: Arc<RedisInstance>) {
    // The channel is bounded by each connection's queue, by one read and one reply per bucket, and by one result per
    // connection.
    let (sender, mut events) = mpsc::unbounded_channel();
    let now = instance.clock.now();
    let subscription = |&bucket| BucketSubscription {
        bucket,
        feed: Feed::default(),
        connection: None,
        last_heard: now,
        suspected: false,
    };
    let subscriptions: Vec<BucketSubscription> = instance.buckets.iter().map(subscription).collect();
    let channel = |(index, subscription): (usize, &BucketSubscription)| {
        (instance.keys.channel(subscription.bucket).into_bytes(), index)
    };
    let by_channel = subscriptions.iter().enumerate().map(channel).collect();
    let mut subscriber = BucketSubscriber {
        instance,
        subscriptions,
        by_channel,
        connections: HashMap::new(),
        last_connection: 0,
        topology: None,
        discovering: false,
        sender,
        reads: Arc::new(Semaphore::new(MAX_READS)),
    };
    let mut watchdog = tokio::time::interval(WATCHDOG_INTERVAL);
    watchdog.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = watchdog.tick() => subscriber.check_subscriptions(),
            Some(event) = events.recv() => subscriber.handle(event),
        }
    }
}

impl BucketSubscriber {
    fn handle(&mut self, event: SubscriberEvent) {
        match event {
            SubscriberEvent::Push(id, push) => self.pushed(id, push),
            SubscriberEvent::Topology(result) => self.discovered(result),
            SubscriberEvent::Connected(host, id, result) => self.connected(&host, id, result),
            SubscriberEvent::Subscribed(index, id, result) => self.subscribed(index, id, result),
            SubscriberEvent::Read(index, result) => self.bucket_read(index, result),
        }
    }

    fn discovered(&mut self, result: RedisResult<Arc<Topology>>) {
        self.discovering = false;
        match result {
            Ok(topology) => {
                self.topology = Some(topology);
                self.check_subscriptions();
            }
            Err(error) => log::debug!("the masters cannot be discovered: {error}"),
        }
    }

    /// The watchdog: checks that every bucket is subscribed at its master and receives ticks.
    fn check_subscriptions(&mut self) {
        self.instance.view.repeat_refused();
        self.instance.view.release(self.instance.clock.now());
        let Some(topology) = self.topology.clone() else { return self.discover_topology() };
        let now = self.instance.clock.now();
        let mut missing: HashMap<Host, Vec<usize>> = HashMap::new();
        let mut silent = Vec::new();
        let mut probes = Vec::new();
        for (index, subscription) in self.subscriptions.iter_mut().enumerate() {
            let Some(host) = topology.host(self.instance.keys.buckets().slot(subscription.bucket)) else {
                self.topology = None;
                continue;
            };
            let id = self.connections.get(host).map(|connection| connection.id);
            let is_silent = now.since(subscription.last_heard) >= MAX_SILENCE;
            match (subscription.connection, id) {
                (Some(on), Some(id)) if on == id && !is_silent => {}
                (Some(on), Some(id)) if on == id && !subscription.suspected => {
                    subscription.suspected = true;
                    subscription.last_heard = now;
                    subscription.connection = None;
                    missing.entry(host.clone()).or_default().push(index);
                    probes.push(subscription.bucket);
                }
                (Some(on), Some(id)) if on == id => silent.push(host.clone()),
                (Some(_) | None, _) => missing.entry(host.clone()).or_default().push(index),
            }
        }
        self.probe(probes);
        silent.sort();
        silent.dedup();
        for host in silent {
            log::warn!(server = host.0, port = host.1; "a subscription is silent; connecting again");
            self.drop_connection(&host);
        }
        for (host, indexes) in missing {
            self.subscribe(host, indexes);
        }
        self.read_again();
        if self.topology.is_none() {
            self.discover_topology();
        }
    }

    /// Reads the buckets again that could not be read before and are not being read.
    fn read_again(&mut self) {
        for index in 0..self.subscriptions.len() {
            let subscription = &mut self.subscriptions[index];
            if subscription.connection.is_some() && !subscription.suspected && subscription.feed.is_away() {
                let steps = subscription.feed.missed();
                self.follow(index, steps);
            }
        }
    }

    fn discover_topology(&mut self) {
        if std::mem::replace(&mut self.discovering, true) {
            return;
        }
        let (instance, sender) = (self.instance.clone(), self.sender.clone());
        tokio::spawn(async move {
            // The subscriber lives as long as this thread.
            let _subscriber_gone = sender.send(SubscriberEvent::Topology(instance.pool.topology().await));
        });
    }

    /// Subscribes buckets on the connection to a server, or opens the connection if there is none. Each channel needs its own
    /// command: all channels of one command must be in the same slot.
    fn subscribe(&mut self, host: Host, indexes: Vec<usize>) {
        let Some(connection) = self.connections.get(&host) else {
            self.last_connection += 1;
            let (id, instance, sender) = (self.last_connection, self.instance.clone(), self.sender.clone());
            let connection = SubscriptionConnection::connect(id, host.clone(), instance, sender);
            self.connections.insert(host, connection);
            return;
        };
        let Some(open) = connection.open.clone() else { return };
        let id = connection.id;
        for index in indexes {
            let subscription = &mut self.subscriptions[index];
            subscription.connection = Some(id);
            let channel = self.instance.keys.channel(subscription.bucket);
            let (mut open, sender) = (open.clone(), self.sender.clone());
            tokio::spawn(async move {
                let result: RedisResult<Value> = redis::cmd("SSUBSCRIBE").arg(channel).query_async(&mut open).await;
                let _subscriber_gone = sender.send(SubscriberEvent::Subscribed(index, id, result.map(drop)));
            });
        }
    }

    fn connected(&mut self, host: &Host, id: SubscriptionConnectionId, result: RedisResult<MultiplexedConnection>) {
        let Some(connection) = self.connections.get_mut(host).filter(|known| known.id == id) else { return };
        match result {
            Ok(open) => {
                connection.open = Some(open);
                self.check_subscriptions();
            }
            Err(error) => {
                log::debug!(server = host.0, port = host.1; "no connection for subscriptions: {error}");
                self.drop_connection(host);
            }
        }
    }

    fn subscribed(&mut self, index: usize, id: SubscriptionConnectionId, result: RedisResult<()>) {
        let subscription = &mut self.subscriptions[index];
        if subscription.connection != Some(id) {
            return;
        }
        if let Err(error) = result {
            // The bucket moved to another master, or the connection is lost.
            log::debug!("a bucket is not subscribed: {error}");
            subscription.connection = None;
            self.forget_topology();
            return;
        }
        subscription.last_heard = self.instance.clock.now();
        let steps = subscription.feed.missed();
        self.follow(index, steps);
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library's messages, most of which nothing here subscribes to"
    )]
    fn pushed(&mut self, id: SubscriptionConnectionId, push: PushInfo) {
        if let Some(connection) = self.connections.values().find(|connection| connection.id == id)
            && connection.handled_one()
        {
            self.messages_dropped(id);
        }
        match push.kind {
            PushKind::SMessage => {
                let [Value::BulkString(channel), Value::BulkString(payload)] = &push.data[..] else { return };
                let Some(&index) = self.by_channel.get(channel) else { return };
                if self.subscriptions[index].connection == Some(id) {
                    self.message_received(index, &Bytes::copy_from_slice(payload));
                }
            }
            PushKind::SUnsubscribe => {
                // The slot has moved to another master.
                let Some(Value::BulkString(channel)) = push.data.first() else { return };
                if let Some(&index) = self.by_channel.get(channel) {
                    self.subscriptions[index].connection = None;
                    self.forget_topology();
                }
            }
            PushKind::Disconnection => {
                let host =
                    self.connections.iter().find(|(_, connection)| connection.id == id).map(|(host, _)| host.clone());
                if let Some(host) = host {
                    log::warn!(server = host.0, port = host.1; "a connection for subscriptions is lost");
                    self.drop_connection(&host);
                    self.check_subscriptions();
                }
            }
            // Replies to commands, and messages that nothing here subscribes to.
            _ => {}
        }
    }

    fn message_received(&mut self, index: usize, payload: &Bytes) {
        let subscription = &mut self.subscriptions[index];
        subscription.last_heard = self.instance.clock.now();
        subscription.suspected = false;
        let steps = match read(payload) {
            Some(BucketMessage::Event(event)) => {
                self.instance.metrics.received.inc();
                subscription.feed.event(event)
            }
            Some(BucketMessage::Tick(clock)) => subscription.feed.tick(clock),
            Some(BucketMessage::Command(user, packed)) => return self.command_received(user, &packed),
            // A message of a later version.
            None => return,
        };
        self.follow(index, steps);
    }

    /// Hands a command to the engine.
    fn command_received(&self, user: UserId, packed: &Bytes) {
        let Some(command) = NodeCommand::decode(packed) else {
            return log::debug!("a command of a later version is skipped");
        };
        if !self.instance.listener.command_received(user, command) {
            log::warn!("a command about a user was dropped: the engine has no room");
        }
    }

    /// Carries out the steps of a feed.
    fn follow(&mut self, index: usize, steps: FeedSteps) {
        let bucket = self.subscriptions[index].bucket;
        steps.apply.iter().for_each(|event| self.apply(bucket, event));
        let Some(read) = steps.read else { return };
        let (instance, sender, reads) = (self.instance.clone(), self.sender.clone(), self.reads.clone());
        tokio::spawn(async move {
            let _permit = reads.acquire().await;
            let _subscriber_gone =
                sender.send(SubscriberEvent::Read(index, reader::read(&instance, bucket, read).await));
        });
    }

    fn apply(&self, bucket: Bucket, event: &BucketEvent) {
        self.instance.view.apply(bucket, event);
        let own = self.instance.lease().incarnation;
        for change in event.changes.iter().filter(|change| change.incarnation == own) {
            self.instance.outgoing.event_received(change.user, event.clock, &change.value);
        }
    }

    fn bucket_read(&mut self, index: usize, result: Result<BucketContents, CallError>) {
        let feed = &mut self.subscriptions[index].feed;
        let steps = match result {
            Ok(BucketContents::Log(clock, events)) => {
                self.instance.listener.missed();
                let steps = feed.log_read(clock, events);
                if !steps.apply.is_empty() {
                    self.instance.metrics.caught_up.inc();
                }
                steps
            }
            Ok(BucketContents::Everything(clock, users)) => {
                self.instance.metrics.resyncs.inc();
                self.instance.listener.missed();
                let own = self.instance.lease().incarnation;
                for (user, stored) in users {
                    let own_record = stored.records.iter().find(|(incarnation, _)| *incarnation == own);
                    self.instance.outgoing.record_read(
                        user,
                        stored.version,
                        own_record.map_or(&[], |(_, value)| value),
                    );
                    self.instance.view.replace(user, stored);
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

    /// Reads the buckets of a connection from the log, because messages of it were dropped.
    fn messages_dropped(&mut self, id: SubscriptionConnectionId) {
        for index in 0..self.subscriptions.len() {
            if self.subscriptions[index].connection == Some(id) {
                let steps = self.subscriptions[index].feed.missed();
                self.follow(index, steps);
            }
        }
    }

    /// Ticks these buckets, in case that no other node does.
    fn probe(&self, buckets: Vec<Bucket>) {
        if buckets.is_empty() {
            return;
        }
        self.instance.metrics.resubscribed.inc_by(buckets.len() as u64);
        let instance = self.instance.clone();
        tokio::spawn(async move {
            let calls: Vec<_> = buckets.iter().map(|&bucket| sweep_call(&instance, bucket, &[])).collect();
            let failed = instance.pool.call_all(&calls).await.iter().filter(|reply| reply.is_err()).count();
            log::debug!(buckets = buckets.len(), failed; "ticked silent buckets");
        });
    }

    fn drop_connection(&mut self, host: &Host) {
        let Some(connection) = self.connections.remove(host) else { return };
        let now = self.instance.clock.now();
        for subscription in
            self.subscriptions.iter_mut().filter(|subscription| subscription.connection == Some(connection.id))
        {
            subscription.connection = None;
            subscription.suspected = false;
            subscription.last_heard = now;
        }
        self.forget_topology();
    }

    fn forget_topology(&mut self) {
        self.topology = None;
        let instance = self.instance.clone();
        tokio::spawn(async move { instance.pool.forget_topology().await });
    }
}
