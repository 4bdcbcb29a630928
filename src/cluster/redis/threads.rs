//! Starts the two threads and puts the parts together.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::connect::Connector;
use super::lease::{Lease, LeaseKeeper, Leave};
use super::pool::Pool;
use super::script::Scripts;
use super::shard::{Shard, Wanted};
use super::{RedisBackplane, StartError, reader, startup, subscriber, sweeper, writer};
use crate::clock::Clock;
use crate::cluster::keys::Keys;
use crate::cluster::node::NodeInfo;
use crate::cluster::outgoing::Outgoing;
use crate::cluster::slot::{Bucket, Buckets};
use crate::cluster::view::Table;
use crate::cluster::{Listener, MAX_REQUESTS};
use crate::config::{ClusterConfig, RedisAddress};
use crate::metrics::Metrics;

/// What a heart needs beside itself.
struct LeaseThread {
    heart: LeaseKeeper,
    state: oneshot::Sender<Result<watch::Receiver<Arc<Lease>>, StartError>>,
    leave: mpsc::Receiver<Leave>,
}

/// One thread with a runtime of its own. It ends when `work` does.
pub fn spawn<F: Future<Output = ()>>(name: &str, work: impl FnOnce() -> F + Send + 'static) -> Result<(), StartError> {
    let failed = |error: std::io::Error| StartError::Thread(error.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let thread = std::thread::Builder::new().name(name.to_owned());
    thread.spawn(move || runtime.block_on(async { work().await })).map(drop).map_err(failed)
}

/// See [`RedisBackplane::start`].
pub async fn start(
    config: &ClusterConfig,
    node: &str,
    clock: &Clock,
    metrics: &Metrics,
    listener: Arc<dyn Listener>,
) -> Result<RedisBackplane, StartError> {
    let buckets = Buckets::new(config.buckets.get());
    let names: Vec<String> = config.redis.iter().map(RedisAddress::name).collect();
    let places: Vec<usize> = buckets.all().map(|bucket| buckets.place(bucket, &names)).collect();
    let table = Arc::new(Table::new(buckets.clone(), listener.clone()));
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let (uid, started) = (uuid::Uuid::new_v4().to_string(), clock.time_of_day().as_secs());
    let (info, _) = watch::channel(NodeInfo { uid, name: node.to_owned(), version, started, ..NodeInfo::default() });
    let parts = Parts { config, clock, metrics, table: &table, listener: &listener, buckets: &buckets, info: &info };

    let mut hearts = Vec::new();
    let mut waiting = Vec::new();
    for address in &config.redis {
        let (heart, state, leave) = parts.heart(address)?;
        waiting.push((heart.poke.clone(), state.1, leave.0));
        hearts.push(LeaseThread { heart, state: state.0, leave: leave.1 });
    }
    let checked = names.clone();
    spawn("heart", move || beat_all(hearts, checked))?;

    let mut shards = Vec::new();
    let mut leaves = Vec::new();
    for (index, (address, (poke, state, leave))) in config.redis.iter().zip(waiting).enumerate() {
        let lease = state.await.unwrap_or_else(|_| Err(StartError::Thread("the heart stopped".into())))?;
        let here = buckets.all().filter(|bucket| places[bucket.index()] == index).collect();
        shards.push(parts.shard(address, here, lease, poke)?);
        leaves.push(leave);
    }
    let (running, stopped) = oneshot::channel::<()>();
    let (handle, started) = oneshot::channel();
    let owned = shards.clone();
    spawn("backplane", move || work_all(owned, handle, stopped))?;
    let runtime = started.await.map_err(|_| StartError::Thread("the backplane stopped".into()))?;
    let requests = Arc::new(Semaphore::new(MAX_REQUESTS));
    Ok(RedisBackplane { shards, leaves, places, buckets, table, runtime, requests, info, _running: running })
}

/// What everything is made from.
struct Parts<'a> {
    config: &'a ClusterConfig,
    clock: &'a Clock,
    metrics: &'a Metrics,
    table: &'a Arc<Table>,
    listener: &'a Arc<dyn Listener>,
    buckets: &'a Buckets,
    info: &'a watch::Sender<NodeInfo>,
}

type Pair<T, U> = (T, U);
type Started = Result<watch::Receiver<Arc<Lease>>, StartError>;

impl Parts<'_> {
    fn pool(&self, address: &RedisAddress, timeout: Duration) -> Result<Pool, StartError> {
        Ok(Pool::new(Connector::new(address, self.config, timeout)?, self.clock, self.metrics.cluster()))
    }

    fn keys(&self) -> Keys {
        Keys::new(self.config.prefix.as_str(), self.buckets.clone())
    }

    #[expect(clippy::type_complexity, reason = "a heart and the two ends of its two channels")]
    fn heart(
        &self,
        address: &RedisAddress,
    ) -> Result<
        (
            LeaseKeeper,
            Pair<oneshot::Sender<Started>, oneshot::Receiver<Started>>,
            Pair<mpsc::Sender<Leave>, mpsc::Receiver<Leave>>,
        ),
        StartError,
    > {
        // A connection that does not answer has to be given up while there is time for another.
        let timeout = self.config.response_timeout.0.min(self.config.lease_ttl.0 / 4);
        let heart = LeaseKeeper {
            pool: self.pool(address, timeout)?,
            keys: self.keys(),
            clock: self.clock.clone(),
            metrics: self.metrics.cluster().clone(),
            table: self.table.clone(),
            ttl: self.config.lease_ttl.0,
            interval: self.config.heartbeat.0,
            poke: Arc::new(Notify::new()),
            info: self.info.subscribe(),
        };
        Ok((heart, oneshot::channel(), mpsc::channel(1)))
    }

    fn shard(
        &self,
        address: &RedisAddress,
        buckets: Vec<Bucket>,
        lease: watch::Receiver<Arc<Lease>>,
        poke: Arc<Notify>,
    ) -> Result<Arc<Shard>, StartError> {
        Ok(Arc::new(Shard {
            pool: self.pool(address, self.config.response_timeout.0)?,
            keys: self.keys(),
            scripts: Scripts::new(),
            buckets,
            local: Outgoing::default(),
            table: self.table.clone(),
            listener: self.listener.clone(),
            lease,
            poke,
            wanted: Wanted::default(),
            clock: self.clock.clone(),
            metrics: self.metrics.cluster().clone(),
            log_length: self.config.log_length,
        }))
    }
}

/// The thread `heart`: checks and begins, then renews until the node leaves.
async fn beat_all(hearts: Vec<LeaseThread>, names: Vec<String>) {
    let mut beating = JoinSet::new();
    for LeaseThread { heart, state, leave } in hearts {
        let names = names.clone();
        beating.spawn(async move {
            let scripts = Scripts::new();
            let begun = async {
                startup::check(&heart.pool, &heart.keys, &names).await?;
                let redis = heart.pool.connector().address().name();
                heart.begin(&scripts).await.map_err(|error| StartError::Unusable { redis, error })
            };
            let lease = match begun.await {
                Ok(lease) => lease,
                Err(error) => {
                    // Who started this may be gone.
                    let _starter_gone = state.send(Err(error));
                    return;
                }
            };
            let (sender, receiver) = watch::channel(Arc::new(lease));
            if state.send(Ok(receiver)).is_ok() {
                heart.run(scripts, sender, leave).await;
            }
        });
    }
    while beating.join_next().await.is_some() {}
}

/// The thread `backplane`: everything else, until the backplane is dropped.
async fn work_all(
    shards: Vec<Arc<Shard>>,
    handle: oneshot::Sender<tokio::runtime::Handle>,
    stopped: oneshot::Receiver<()>,
) {
    let mut tasks = JoinSet::new();
    for shard in shards {
        tasks.spawn(writer::run(shard.clone()));
        tasks.spawn(sweeper::run(shard.clone()));
        tasks.spawn(reader::run(shard.clone()));
        tasks.spawn(subscriber::run(shard));
    }
    if handle.send(tokio::runtime::Handle::current()).is_err() {
        return;
    }
    tokio::select! {
        // Dropped: the backplane is not needed any more.
        _ = stopped => {}
        Some(ended) = tasks.join_next() => log::error!(ended:? = ended; "a part of the backplane ended"),
    }
}
