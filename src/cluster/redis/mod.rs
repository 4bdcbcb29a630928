//! The backplane on Redis.
//!
//! | file | |
//! |---|---|
//! | [`connect`], [`topology`], [`pool`] | connections; standalone, Sentinel and Cluster differ only in how masters are found |
//! | [`script`] | the scripts (`scripts/*.lua`), called by their hash |
//! | [`startup`] | what is checked before anything is written |
//! | [`lease`] | the node's lease, on a thread of its own |
//! | [`writer`] | writes what this node's users show |
//! | [`subscriber`], [`reader`] | hears and reads what other nodes' users show |
//! | [`sweeper`] | removes what dead nodes have and who lingered; ticks |
//! | [`requests`] | questions, orders, windows, nodes |
//! | [`storage`] | calls of the stores, on a thread of their own |
//!
//! Two threads: `heart` renews the leases, `backplane` does everything else. Callers only put wishes down and are woken.

mod connect;
mod error;
mod lease;
mod pool;
mod reader;
mod requests;
pub mod script;
mod shard;
mod startup;
pub mod storage;
mod subscriber;
mod sweeper;
mod threads;
mod topology;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{join_all, ready};
use hashbrown::HashMap;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::node::NodeInfo;
use super::outgoing::DesiredState;
use super::record::Record;
use super::slot::Buckets;
use super::view::Table;
use super::{Answer, Backplane, BackplaneError, CallWindow, Listener, NodeCommand, NodeHealth};
use crate::clock::Clock;
use crate::config::ClusterConfig;
use crate::metrics::Metrics;
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;
use crate::presence::remote::Remote;
pub use error::StartError;
use lease::Leave;
use shard::Shard;

/// How long a close waits for what is still to be written.
const CLOSE_WITHIN: Duration = Duration::from_secs(5);

/// The backplane on one Redis or several.
pub struct RedisBackplane {
    shards: Vec<Arc<Shard>>,
    leaves: Vec<mpsc::Sender<Leave>>,
    /// The Redis of each bucket.
    places: Vec<usize>,
    buckets: Buckets,
    table: Arc<Table>,
    runtime: Handle,
    requests: Arc<Semaphore>,
    info: watch::Sender<NodeInfo>,
    /// Dropped at the end: the threads end with it.
    _running: oneshot::Sender<()>,
}

impl RedisBackplane {
    /// Checks every Redis, takes a lease at each, and begins to listen.
    pub async fn start(
        config: &ClusterConfig,
        node: &str,
        clock: &Clock,
        metrics: &Metrics,
        listener: Arc<dyn Listener>,
    ) -> Result<Self, StartError> {
        threads::start(config, node, clock, metrics, listener).await
    }

    fn shard(&self, user: UserId) -> &Arc<Shard> {
        &self.shards[self.places[self.buckets.of(user).index()]]
    }

    /// Has something done on the backplane's own thread, if there is room for it.
    fn request<T: Send + 'static>(
        &self,
        shard: &Shard,
        work: impl Future<Output = Result<T, BackplaneError>> + Send + 'static,
    ) -> Answer<'_, T> {
        if shard.pool.is_away() && shard.lease().standing != NodeHealth::Joined {
            return ready(Err(BackplaneError::Unavailable("known to be away".into()))).boxed();
        }
        let Ok(permit) = self.requests.clone().try_acquire_owned() else {
            return ready(Err(BackplaneError::Busy)).boxed();
        };
        let task = self.runtime.spawn(async move {
            let result = work.await;
            drop(permit);
            result
        });
        async move { task.await.map_err(|_| BackplaneError::Closed)? }.boxed()
    }

    /// Asks each Redis about its users, and joins the answers.
    fn ask_each<T: Send + 'static, F>(
        &self,
        users: Vec<UserId>,
        ask: impl Fn(Arc<Shard>, Vec<UserId>) -> F,
    ) -> Answer<'_, HashMap<UserId, T>>
    where
        F: Future<Output = Result<HashMap<UserId, T>, BackplaneError>> + Send + 'static,
    {
        let mut sorted: Vec<Vec<UserId>> = vec![Vec::new(); self.shards.len()];
        users.into_iter().for_each(|user| sorted[self.places[self.buckets.of(user).index()]].push(user));
        let asked: Vec<_> = sorted.into_iter().zip(&self.shards).filter(|(users, _)| !users.is_empty()).collect();
        let answers: Vec<_> =
            asked.into_iter().map(|(users, shard)| self.request(shard, ask(shard.clone(), users))).collect();
        async {
            let mut all = HashMap::new();
            for answer in join_all(answers).await {
                all.extend(answer?);
            }
            Ok(all)
        }
        .boxed()
    }
}

impl Backplane for RedisBackplane {
    fn announce(&self, user: UserId, record: Record) {
        let desired =
            if record.is_empty() { DesiredState::Gone(Exit::Lost) } else { DesiredState::Here(record.encode().into()) };
        self.shard(user).local.desired(user, desired);
    }

    fn withdraw(&self, user: UserId, exit: Exit) {
        self.shard(user).local.desired(user, DesiredState::Gone(exit));
    }

    fn linger(&self, user: UserId, span: Duration) {
        let local = &self.shard(user).local;
        let Some(record) = local.value(user).and_then(|value| Record::decode(&value).ok()) else { return };
        local.desired(user, DesiredState::Lingering(Record { lingering: true, ..record }.encode().into(), span));
    }

    fn watch(&self, user: UserId) {
        if self.table.watch(user) {
            self.shard(user).wanted.add([user]);
        }
    }

    fn unwatch(&self, user: UserId) {
        self.table.unwatch(user);
    }

    fn remote(&self, user: UserId) -> Option<Remote> {
        self.table.fetch(user)
    }

    fn look(&self, users: Vec<UserId>) -> Answer<'_, HashMap<UserId, Remote>> {
        self.ask_each(users, requests::look)
    }

    fn order(&self, user: UserId, order: NodeCommand) -> Answer<'_, ()> {
        let shard = self.shard(user);
        self.request(shard, requests::order(shard.clone(), user, order.encode()))
    }

    fn take_call(&self, user: UserId, window: CallWindow) -> Answer<'_, Result<(), Duration>> {
        let shard = self.shard(user);
        self.request(shard, requests::take_call(shard.clone(), user, window))
    }

    fn nodes(&self) -> Answer<'_, Vec<NodeInfo>> {
        // Every node has a lease at every Redis.
        let answers: Vec<_> =
            self.shards.iter().map(|shard| self.request(shard, requests::nodes(shard.clone()))).collect();
        async {
            let mut failure = None;
            for answer in join_all(answers).await {
                match answer {
                    Ok(mut nodes) => {
                        nodes.sort_by(|one, other| one.name.cmp(&other.name));
                        return Ok(nodes);
                    }
                    Err(error) => failure = Some(error),
                }
            }
            Err(failure.unwrap_or(BackplaneError::Closed))
        }
        .boxed()
    }

    fn standing(&self) -> NodeHealth {
        let standings = self.shards.iter().map(|shard| shard.lease().standing);
        standings.fold(NodeHealth::Joined, |worst, standing| match (worst, standing) {
            (NodeHealth::Isolated, _) | (_, NodeHealth::Isolated) => NodeHealth::Isolated,
            (NodeHealth::Degraded, _) | (_, NodeHealth::Degraded) => NodeHealth::Degraded,
            (NodeHealth::Joined, NodeHealth::Joined) => NodeHealth::Joined,
        })
    }

    fn info(&self) -> NodeInfo {
        self.info.borrow().clone()
    }

    fn describe(&self, connections: u64, users: u64) {
        self.info.send_modify(|info| {
            info.connections = connections;
            info.users = users;
        });
    }

    fn close(&self, hold: Duration) -> Answer<'_, ()> {
        let closing = self.shards.iter().zip(&self.leaves).map(|(shard, leave)| {
            let (shard, leave) = (shard.clone(), leave.clone());
            self.runtime.spawn(async move {
                let written = async {
                    while shard.local.waiting() > 0 {
                        shard.local.settled.notified().await;
                    }
                };
                let in_time = tokio::time::timeout(CLOSE_WITHIN, written).await;
                if in_time.is_err() {
                    log::warn!(waiting = shard.local.waiting(); "redis does not know the last changes");
                }
                let (done, answer) = oneshot::channel();
                leave.send(Leave { hold, done }).await.map_err(|_| BackplaneError::Closed)?;
                answer.await.map_err(|_| BackplaneError::Closed)?
            })
        });
        let closing: Vec<_> = closing.collect();
        async {
            for closed in join_all(closing).await {
                closed.map_err(|_| BackplaneError::Closed)??;
            }
            Ok(())
        }
        .boxed()
    }
}
