//! Starts the two threads of the backplane and connects its parts.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::instance::{RedisInstance, UnreadUsers};
use super::lease::{Lease, LeaseKeeper, LeaveRequest};
use super::scripts::BackplaneScripts;
use super::{RedisBackplane, reader, subscriber, sweeper, writer};
use crate::clock::Clock;
use crate::cluster::node::NodeInfo;
use crate::cluster::outgoing::OutgoingRecords;
use crate::cluster::view::RemoteView;
use crate::cluster::{Listener, MAX_REQUESTS};
use crate::config::{ClusterConfig, RedisAddress};
use crate::metrics::Metrics;
use crate::redis::connector::Connector;
use crate::redis::error::StartError;
use crate::redis::keys::RedisKeys;
use crate::redis::pool::Pool;
use crate::redis::slots::{Bucket, Buckets};
use crate::redis::{spawn_thread, startup};

/// The state of the first lease, or why there is none.
type FirstLease = Result<watch::Receiver<Arc<Lease>>, StartError>;

/// The lease thread's side of the lease at one Redis.
struct LeaseTask {
    keeper: LeaseKeeper,
    started: oneshot::Sender<FirstLease>,
    leave: mpsc::Receiver<LeaveRequest>,
}

/// The backplane's side of the lease at one Redis.
struct LeaseHandle {
    renew_now: Arc<Notify>,
    started: oneshot::Receiver<FirstLease>,
    leave: mpsc::Sender<LeaveRequest>,
}

/// Starts the backplane. [`RedisBackplane::start`] says what happens.
pub async fn start(
    config: &ClusterConfig,
    node: &str,
    clock: &Clock,
    metrics: &Metrics,
    listener: Arc<dyn Listener>,
) -> Result<RedisBackplane, StartError> {
    let buckets = Buckets::new(config.buckets.get());
    let names: Vec<String> = config.redis.iter().map(RedisAddress::name).collect();
    let instance_of: Vec<usize> = buckets.all().map(|bucket| buckets.instance(bucket, &names)).collect();
    let view = Arc::new(RemoteView::new(buckets.clone(), listener.clone()));
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let (uid, started) = (uuid::Uuid::new_v4().to_string(), clock.time_of_day().as_secs());
    let (info, _) = watch::channel(NodeInfo { uid, name: node.to_owned(), version, started, ..NodeInfo::default() });
    let parts =
        SharedParts { config, clock, metrics, view: &view, listener: &listener, buckets: &buckets, info: &info };

    let mut tasks = Vec::new();
    let mut handles = Vec::new();
    for address in &config.redis {
        let (task, handle) = parts.lease(address)?;
        tasks.push(task);
        handles.push(handle);
    }
    let checked = names.clone();
    spawn_thread("lease", move || keep_leases(tasks, checked))?;

    let mut instances = Vec::new();
    let mut leaves = Vec::new();
    for (index, (address, handle)) in config.redis.iter().zip(handles).enumerate() {
        let stopped = |_| Err(StartError::Thread("the lease thread stopped".into()));
        let lease = handle.started.await.unwrap_or_else(stopped)?;
        let own = buckets.all().filter(|bucket| instance_of[bucket.index()] == index).collect();
        instances.push(parts.instance(address, own, lease, handle.renew_now)?);
        leaves.push(handle.leave);
    }
    let (running, stopped) = oneshot::channel::<()>();
    let (handle, started) = oneshot::channel();
    let shared = instances.clone();
    spawn_thread("backplane", move || run_tasks(shared, handle, stopped))?;
    let runtime = started.await.map_err(|_| StartError::Thread("the backplane stopped".into()))?;
    let requests = Arc::new(Semaphore::new(MAX_REQUESTS));
    Ok(RedisBackplane { instances, leaves, instance_of, buckets, view, runtime, requests, info, _running: running })
}

/// The shared parts from which everything is made.
struct SharedParts<'a> {
    config: &'a ClusterConfig,
    clock: &'a Clock,
    metrics: &'a Metrics,
    view: &'a Arc<RemoteView>,
    listener: &'a Arc<dyn Listener>,
    buckets: &'a Buckets,
    info: &'a watch::Sender<NodeInfo>,
}

impl SharedParts<'_> {
    fn pool(&self, address: &RedisAddress, timeout: Duration) -> Result<Pool, StartError> {
        Ok(Pool::new(Connector::new(address, self.config, timeout)?, self.clock, self.metrics.cluster()))
    }

    fn keys(&self) -> RedisKeys {
        RedisKeys::new(self.config.prefix.as_str(), self.buckets.clone())
    }

    fn lease(&self, address: &RedisAddress) -> Result<(LeaseTask, LeaseHandle), StartError> {
        // A connection that does not reply has to be given up while there is time for another.
        let timeout = self.config.response_timeout.0.min(self.config.lease_ttl.0 / 4);
        let keeper = LeaseKeeper {
            pool: self.pool(address, timeout)?,
            keys: self.keys(),
            clock: self.clock.clone(),
            metrics: self.metrics.cluster().clone(),
            view: self.view.clone(),
            ttl: self.config.lease_ttl.0,
            interval: self.config.heartbeat.0,
            renew_now: Arc::new(Notify::new()),
            info: self.info.subscribe(),
        };
        let renew_now = keeper.renew_now.clone();
        let (sender, started) = oneshot::channel();
        let (leave, requests) = mpsc::channel(1);
        let task = LeaseTask { keeper, started: sender, leave: requests };
        Ok((task, LeaseHandle { renew_now, started, leave }))
    }

    fn instance(
        &self,
        address: &RedisAddress,
        buckets: Vec<Bucket>,
        lease: watch::Receiver<Arc<Lease>>,
        renew_lease: Arc<Notify>,
    ) -> Result<Arc<RedisInstance>, StartError> {
        Ok(Arc::new(RedisInstance {
            pool: self.pool(address, self.config.response_timeout.0)?,
            keys: self.keys(),
            scripts: BackplaneScripts::new(),
            buckets,
            outgoing: OutgoingRecords::default(),
            view: self.view.clone(),
            listener: self.listener.clone(),
            lease,
            renew_lease,
            unread: UnreadUsers::default(),
            clock: self.clock.clone(),
            metrics: self.metrics.cluster().clone(),
            log_length: self.config.log_length,
        }))
    }
}

/// Runs the thread `lease`: checks every Redis and takes the leases, then renews them until the node leaves.
async fn keep_leases(leases: Vec<LeaseTask>, names: Vec<String>) {
    let mut tasks = JoinSet::new();
    for LeaseTask { keeper, started, leave } in leases {
        let names = names.clone();
        tasks.spawn(async move {
            let scripts = BackplaneScripts::new();
            let begun = async {
                startup::check(&keeper.pool, &keeper.keys, &names).await?;
                let redis = keeper.pool.connector().address().name();
                keeper.begin(&scripts).await.map_err(|error| StartError::Unusable { redis, error })
            };
            let lease = match begun.await {
                Ok(lease) => lease,
                Err(error) => {
                    // The starting task may be gone.
                    let _starter_gone = started.send(Err(error));
                    return;
                }
            };
            let (sender, receiver) = watch::channel(Arc::new(lease));
            if started.send(Ok(receiver)).is_ok() {
                keeper.run(scripts, sender, leave).await;
            }
        });
    }
    while tasks.join_next().await.is_some() {}
}

/// Runs the thread `backplane`: all other tasks, until the backplane is dropped.
async fn run_tasks(
    instances: Vec<Arc<RedisInstance>>,
    handle: oneshot::Sender<tokio::runtime::Handle>,
    stopped: oneshot::Receiver<()>,
) {
    let mut tasks = JoinSet::new();
    for instance in instances {
        tasks.spawn(writer::run(instance.clone()));
        tasks.spawn(sweeper::run(instance.clone()));
        tasks.spawn(reader::run(instance.clone()));
        tasks.spawn(subscriber::run(instance));
    }
    if handle.send(tokio::runtime::Handle::current()).is_err() {
        return;
    }
    tokio::select! {
        // The backplane was dropped.
        _ = stopped => {}
        Some(ended) = tasks.join_next() => log::error!(ended:? = ended; "a part of the backplane ended"),
    }
}
