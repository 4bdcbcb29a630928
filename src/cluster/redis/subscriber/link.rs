//! One connection for subscriptions, and what comes in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use bytes::Bytes;
use prost::Message;
use redis::{PushInfo, PushKind, RedisResult};
use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

use crate::cluster::redis::connect::Host;
use crate::cluster::redis::reader::Found;
use crate::cluster::redis::shard::Shard;
use crate::cluster::redis::topology::Topology;
use crate::cluster::{BackplaneError, Order};
use crate::presence::id::{ConnectionId, UserId};

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

#[derive(Clone, PartialEq, Message)]
struct PackedOrder {
    #[prost(message, optional, tag = "1")]
    close: Option<PackedClose>,
}

#[derive(Clone, PartialEq, Message)]
struct PackedClose {
    #[prost(bytes = "vec", tag = "1")]
    connection: Vec<u8>,
    #[prost(uint32, tag = "2")]
    code: u32,
    #[prost(string, tag = "3")]
    reason: String,
    #[prost(bytes = "vec", repeated, tag = "4")]
    except: Vec<Vec<u8>>,
}

/// Packs an order.
pub fn pack(order: Order) -> Vec<u8> {
    let Order::Close { connection, except, code, mut reason } = order;
    let end = (0..=Order::MAX_REASON_BYTES.min(reason.len())).rev().find(|&end| reason.is_char_boundary(end));
    reason.truncate(end.unwrap_or(0));
    let connection = connection.map_or_else(Vec::new, |id| id.uuid().as_bytes().to_vec());
    let except = except.iter().take(Order::MAX_SPARED).map(|id| id.uuid().as_bytes().to_vec()).collect();
    PackedOrder { close: Some(PackedClose { connection, code, reason, except }) }.encode_to_vec()
}

fn unpack(bytes: &Bytes) -> Option<Order> {
    let PackedClose { connection, code, reason, except } = PackedOrder::decode(&bytes[..]).ok()?.close?;
    let id = |bytes: &Vec<u8>| Uuid::from_slice(bytes).ok().map(ConnectionId::from_uuid);
    let connection = if connection.is_empty() { None } else { Some(id(&connection)?) };
    let except: Option<Vec<ConnectionId>> = except.iter().take(Order::MAX_SPARED).map(id).collect();
    Some(Order::Close { connection, except: except?, code, reason })
}

/// Hands an order to the engine.
pub fn carry_out(shard: &Shard, user: UserId, order: &Bytes) {
    match unpack(order) {
        Some(order) if shard.listener.ordered(user, order.clone()) => {}
        Some(_) => log::warn!("an order about a user was dropped: the engine has no room"),
        None => log::debug!("an order of a later version is skipped"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_as_it_was_packed_with_a_reason_of_bounded_length() {
        for connection in [None, Some(ConnectionId::from_uuid(Uuid::from_u128(5)))] {
            let except = vec![ConnectionId::from_uuid(Uuid::from_u128(6))];
            let order = Order::Close { connection, except, code: 3005, reason: "bye".into() };
            assert_eq!(unpack(&pack(order.clone()).into()), Some(order));
        }
        let long = Order::Close { connection: None, except: Vec::new(), code: 1, reason: "é".repeat(500) };
        let Some(Order::Close { reason, .. }) = unpack(&pack(long).into()) else { panic!("unreadable") };
        assert_eq!(reason, "é".repeat(128));
        assert_eq!(unpack(&Bytes::from_static(b"\xff")), None);
        assert_eq!(unpack(&Bytes::new()), None, "of a later version");
    }
}
