//! One connection for subscriptions, and the events that the subscriber handles.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use redis::aio::MultiplexedConnection;
use redis::{PushInfo, PushKind, RedisResult};
use tokio::sync::mpsc::UnboundedSender;

use crate::cluster::redis::instance::RedisInstance;
use crate::cluster::redis::reader::BucketContents;
use crate::redis::connector::Host;
use crate::redis::error::CallError;
use crate::redis::topology::Topology;

/// Maximum number of messages of one connection that wait. When the queue is full, messages are dropped, and the buckets of
/// the connection are read from the log.
const MAX_WAITING: usize = 65_536;

/// Identifies a connection, even among several to the same server.
pub type SubscriptionConnectionId = u64;

/// An event for the subscriber.
pub enum SubscriberEvent {
    /// A message, or the end of a connection.
    Push(SubscriptionConnectionId, PushInfo),
    /// The result of a discovery of the masters.
    Topology(RedisResult<Arc<Topology>>),
    /// The result of an attempt to connect.
    Connected(Host, SubscriptionConnectionId, RedisResult<MultiplexedConnection>),
    /// The result of the subscription of a bucket, by the index of its [`super::BucketSubscription`].
    Subscribed(usize, SubscriptionConnectionId, RedisResult<()>),
    /// The result of a read of a bucket, by the index of its [`super::BucketSubscription`].
    Read(usize, Result<BucketContents, CallError>),
}

/// One connection for subscriptions, open or being opened.
pub struct SubscriptionConnection {
    pub id: SubscriptionConnectionId,
    /// The open connection, or `None` while it is being opened.
    pub open: Option<MultiplexedConnection>,
    queue: Arc<MessageQueue>,
}

#[derive(Default)]
struct MessageQueue {
    waiting: AtomicUsize,
    dropped: AtomicBool,
}

impl SubscriptionConnection {
    /// Starts connecting. The result arrives as [`SubscriberEvent::Connected`].
    pub fn connect(
        id: SubscriptionConnectionId,
        host: Host,
        instance: Arc<RedisInstance>,
        sender: UnboundedSender<SubscriberEvent>,
    ) -> Self {
        let queue = Arc::<MessageQueue>::default();
        let (filled, pushes, dropped) = (queue.clone(), sender.clone(), instance.metrics.dropped.clone());
        let push = move |info: PushInfo| {
            let is_message = info.kind == PushKind::SMessage;
            if is_message && filled.waiting.load(Ordering::Relaxed) >= MAX_WAITING {
                filled.dropped.store(true, Ordering::Relaxed);
                dropped.inc();
                return Ok(());
            }
            filled.waiting.fetch_add(1, Ordering::Relaxed);
            pushes.send(SubscriberEvent::Push(id, info)).map_err(|_| ())
        };
        tokio::spawn(async move {
            let connection = instance.pool.connector().for_subscriptions(&host, push).await;
            // The subscriber lives as long as this thread.
            let _subscriber_gone = sender.send(SubscriberEvent::Connected(host, id, connection));
        });
        Self { id, open: None, queue }
    }

    /// Counts one message as handled. Returns whether messages were dropped before it.
    pub fn handled_one(&self) -> bool {
        self.queue.waiting.fetch_sub(1, Ordering::Relaxed);
        self.queue.dropped.swap(false, Ordering::Relaxed)
    }
}
