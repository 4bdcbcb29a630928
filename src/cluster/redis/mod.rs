//! The backplane on Redis.
//!
//! | file | holds |
//! |---|---|
//! | [`threads`] | the start: the two threads, and how the parts are connected |
//! | [`instance`] | the state that the tasks of one configured Redis share |
//! | [`scripts`] | the scripts (`scripts/*.lua`) |
//! | [`lease`] | the node's lease, on a thread of its own |
//! | [`writer`] | writes the records of this node's users |
//! | [`subscriber`], [`reader`] | receive and read the records of other nodes' users |
//! | [`sweeper`] | removes the records of dead nodes and expired lingering records; ticks |
//! | [`requests`] | queries, commands, rate limits, nodes |
//!
//! Connections, slots and keys are in [`crate::redis`].
//!
//! There are two threads: `lease` renews the leases, `backplane` does everything else. Callers only store their desired
//! states, and are woken when a reply is there.

mod instance;
mod lease;
mod reader;
mod requests;
pub mod scripts;
mod subscriber;
mod sweeper;
mod threads;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::{join_all, ready};
use hashbrown::HashMap;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use super::message::command_message;
use super::node::NodeInfo;
use super::outgoing::DesiredState;
use super::record::Record;
use super::view::RemoteView;
use super::{Backplane, BackplaneError, BackplaneFuture, CallWindow, Listener, NodeCommand, NodeHealth};
use crate::clock::Clock;
use crate::config::ClusterConfig;
use crate::metrics::Metrics;
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;
use crate::presence::remote::Remote;
use crate::redis::error::{CallError, StartError};
use crate::redis::slots::Buckets;
use instance::RedisInstance;
use lease::LeaveRequest;

/// Maximum time that a close waits for the remaining writes.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The backplane on one Redis or several.
pub struct RedisBackplane {
    instances: Vec<Arc<RedisInstance>>,
    /// One per instance.
    leaves: Vec<mpsc::Sender<LeaveRequest>>,
    /// The index of each bucket's instance.
    instance_of: Vec<usize>,
    buckets: Buckets,
    view: Arc<RemoteView>,
    runtime: Handle,
    /// Limits the requests that callers wait for.
    requests: Arc<Semaphore>,
    info: watch::Sender<NodeInfo>,
    /// The threads end when this is dropped.
    _running: oneshot::Sender<()>,
}

impl RedisBackplane {
    /// Checks every Redis, takes a lease at each, and subscribes to the buckets.
    pub async fn start(
        config: &ClusterConfig,
        node: &str,
        clock: &Clock,
        metrics: &Metrics,
        listener: Arc<dyn Listener>,
    ) -> Result<Self, StartError> {
        threads::start(config, node, clock, metrics, listener).await
    }

    fn instance(&self, user: UserId) -> &Arc<RedisInstance> {
        &self.instances[self.instance_of[self.buckets.of(user).index()]]
    }

    /// Runs a request on the backplane's thread, unless too many wait or Redis is known to be away.
    fn request<T: Send + 'static>(
        &self,
        instance: &RedisInstance,
        work: impl Future<Output = Result<T, CallError>> + Send + 'static,
    ) -> BackplaneFuture<'_, T> {
        if instance.pool.is_away() && instance.lease().health != NodeHealth::Joined {
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
        async move { Ok(task.await.map_err(|_| BackplaneError::Closed)??) }.boxed()
    }

    /// Queries each Redis about its users and joins the replies.
    fn query_each<T: Send + 'static, F>(
        &self,
        users: Vec<UserId>,
        query: impl Fn(Arc<RedisInstance>, Vec<UserId>) -> F,
    ) -> BackplaneFuture<'_, HashMap<UserId, T>>
    where
        F: Future<Output = Result<HashMap<UserId, T>, CallError>> + Send + 'static,
    {
        let mut by_instance: Vec<Vec<UserId>> = vec![Vec::new(); self.instances.len()];
        for user in users {
            by_instance[self.instance_of[self.buckets.of(user).index()]].push(user);
        }
        let queried = by_instance.into_iter().zip(&self.instances).filter(|(users, _)| !users.is_empty());
        let replies: Vec<_> =
            queried.map(|(users, instance)| self.request(instance, query(instance.clone(), users))).collect();
        async {
            let mut all = HashMap::new();
            for reply in join_all(replies).await {
                all.extend(reply?);
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
        self.instance(user).outgoing.set(user, desired);
    }

    fn withdraw(&self, user: UserId, exit: Exit) {
        self.instance(user).outgoing.set(user, DesiredState::Gone(exit));
    }

    fn linger(&self, user: UserId, span: Duration) {
        let outgoing = &self.instance(user).outgoing;
        let Some(record) = outgoing.value(user).and_then(|value| Record::decode(&value).ok()) else { return };
        outgoing.set(user, DesiredState::Lingering(Record { lingering: true, ..record }.encode().into(), span));
    }

    fn watch(&self, user: UserId) {
        if self.view.watch(user) {
            self.instance(user).unread.add([user]);
        }
    }

    fn unwatch(&self, user: UserId) {
        self.view.unwatch(user);
    }

    fn remote(&self, user: UserId) -> Option<Remote> {
        self.view.fetch(user)
    }

    fn query(&self, users: Vec<UserId>) -> BackplaneFuture<'_, HashMap<UserId, Remote>> {
        self.query_each(users, requests::query)
    }

    fn send_command(&self, user: UserId, command: NodeCommand) -> BackplaneFuture<'_, ()> {
        let instance = self.instance(user);
        self.request(instance, requests::publish(instance.clone(), user, command_message(user, &command)))
    }

    fn take_call(&self, user: UserId, window: CallWindow) -> BackplaneFuture<'_, Result<(), Duration>> {
        let instance = self.instance(user);
        self.request(instance, requests::take_call(instance.clone(), user, window))
    }

    fn nodes(&self) -> BackplaneFuture<'_, Vec<NodeInfo>> {
        // Every node has a lease at every Redis.
        let request = |instance: &Arc<RedisInstance>| self.request(instance, requests::nodes(instance.clone()));
        let replies: Vec<_> = self.instances.iter().map(request).collect();
        async {
            let mut failure = None;
            for reply in join_all(replies).await {
                match reply {
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

    fn health(&self) -> NodeHealth {
        let all = self.instances.iter().map(|instance| instance.lease().health);
        all.fold(NodeHealth::Joined, |worst, health| match (worst, health) {
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

    fn close(&self, hold: Duration) -> BackplaneFuture<'_, ()> {
        let closing = self.instances.iter().zip(&self.leaves).map(|(instance, leave)| {
            let (instance, leave) = (instance.clone(), leave.clone());
            self.runtime.spawn(async move {
                let written = async {
                    while instance.outgoing.waiting() > 0 {
                        instance.outgoing.settled.notified().await;
                    }
                };
                let in_time = tokio::time::timeout(CLOSE_TIMEOUT, written).await;
                if in_time.is_err() {
                    log::warn!(waiting = instance.outgoing.waiting(); "redis does not have the last changes");
                }
                let (done, left) = oneshot::channel();
                leave.send(LeaveRequest { hold, done }).await.map_err(|_| BackplaneError::Closed)?;
                left.await.map_err(|_| BackplaneError::Closed)?.map_err(BackplaneError::from)
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
