//! One connection for subscriptions, and what comes in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use redis::{PushInfo, PushKind, RedisResult};
use tokio::sync::mpsc::UnboundedSender;

use crate::cluster::redis::connect::Host;
use crate::cluster::redis::reader::Found;
use crate::cluster::redis::shard::Shard;
use crate::cluster::redis::topology::Topology;
use crate::cluster::{BackplaneError, NodeCommand};
use crate::presence::id::UserId;

/// Messages of one connection that may wait; past that they are dropped and its buckets are read from the log.
const MAX_WAITING: usize = 65_536;

/// Tells connections apart, also those to the same server.
pub type LinkId = u64;

/// A connection of the client library.
pub type Line = redis::aio::MultiplexedConnection;

/// What comes in.
pub enum Incoming {
    /// A message, or the end of a connection.
    Push(LinkId, PushInfo),
    /// Which server has what.
    Topology(RedisResult<Arc<Topology>>),
    /// A connection was made, or not.
    Connected(Host, LinkId, RedisResult<Line>),
    /// A bucket was subscribed, or not.
    Subscribed(usize, LinkId, RedisResult<()>),
    /// A bucket was read, or not.
    Read(usize, Result<Found, BackplaneError>),
}

/// One connection, made or being made.
pub struct Link {
    pub id: LinkId,
    pub line: Option<Line>,
    queue: Arc<Queue>,
}

#[derive(Default)]
struct Queue {
    waiting: AtomicUsize,
    dropped: AtomicBool,
}

impl Link {
    /// Begins to connect.
    pub fn connect(id: LinkId, host: Host, shard: Arc<Shard>, sender: UnboundedSender<Incoming>) -> Self {
        let queue = Arc::<Queue>::default();
        let (filled, pushes, dropped) = (queue.clone(), sender.clone(), shard.metrics.dropped.clone());
        let push = move |info: PushInfo| {
            let is_message = info.kind == PushKind::SMessage;
            if is_message && filled.waiting.load(Ordering::Relaxed) >= MAX_WAITING {
                filled.dropped.store(true, Ordering::Relaxed);
                dropped.inc();
                return Ok(());
            }
            filled.waiting.fetch_add(1, Ordering::Relaxed);
            pushes.send(Incoming::Push(id, info)).map_err(|_| ())
        };
        tokio::spawn(async move {
            let line = shard.pool.connector().link(&host, push).await;
            // The subscriber lives as long as this thread.
            let _gone = sender.send(Incoming::Connected(host, id, line));
        });
        Self { id, line: None, queue }
    }

    /// One message less waits; whether some were dropped meanwhile.
    pub fn took_one(&self) -> bool {
        self.queue.waiting.fetch_sub(1, Ordering::Relaxed);
        self.queue.dropped.swap(false, Ordering::Relaxed)
    }
}

/// Hands an order to the engine.
pub fn carry_out(shard: &Shard, user: UserId, order: &Bytes) {
    match NodeCommand::decode(order) {
        Some(order) if shard.listener.ordered(user, order.clone()) => {}
        Some(_) => log::warn!("an order about a user was dropped: the engine has no room"),
        None => log::debug!("an order of a later version is skipped"),
    }
}
