//! Redis as persistent storage: the calls of the stores, on connections of their own.
//!
//! This module chooses the Redis of a bucket's call and owns the thread of the connections. What is stored, and in which
//! form, is in `crate::store`. The storage needs no lease: an isolated node may still read and write persistent records.

use std::convert::Infallible;
use std::sync::{Arc, mpsc as blocking};

use futures_util::future::join_all;
use redis::Value;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::call::RedisCall;
use super::connector::Connector;
use super::error::{CallError, StartError};
use super::keys::RedisKeys;
use super::pool::Pool;
use super::slots::{Bucket, Buckets, Slot};
use super::{spawn_thread, startup};
use crate::clock::Clock;
use crate::config::{ClusterConfig, RedisAddress};
use crate::metrics::Metrics;

/// Every configured Redis, for the stores. Cheap to clone. The thread and the connections end with the last clone.
#[derive(Clone)]
pub struct Storage {
    pools: Arc<Pools>,
    runtime: Handle,
    /// Keeps the thread running while a clone of the storage exists.
    _running: mpsc::Sender<Infallible>,
}

struct Pools {
    pools: Vec<Pool>,
    /// The index of each bucket's Redis.
    instances: Vec<usize>,
    keys: RedisKeys,
}

impl Storage {
    /// Connects to every Redis and checks it. Blocks the caller, so it is for the start only.
    pub fn open(config: &ClusterConfig, clock: &Clock, metrics: &Metrics) -> Result<Self, StartError> {
        let buckets = Buckets::new(config.buckets.get());
        let names: Vec<String> = config.redis.iter().map(RedisAddress::name).collect();
        let instances = buckets.all().map(|bucket| buckets.instance(bucket, &names)).collect();
        let pool = |address| {
            let connector = Connector::new(address, config, config.response_timeout.0)?;
            Ok(Pool::new(connector, clock, metrics.cluster()))
        };
        let pools = config.redis.iter().map(pool).collect::<Result<_, StartError>>()?;
        let keys = RedisKeys::new(config.prefix.as_str(), buckets);
        let pools = Arc::new(Pools { pools, instances, keys });

        let (running, mut ended) = mpsc::channel::<Infallible>(1);
        let (started, starting) = blocking::sync_channel(1);
        let checked = pools.clone();
        spawn_thread("storage", move || async move {
            let result = checked.check(&names).await;
            drop(checked);
            let failed = result.is_err();
            if started.send(result.map(|()| Handle::current())).is_ok() && !failed {
                ended.recv().await;
            }
        })?;
        let stopped = |_| StartError::Thread("the storage stopped".into());
        Ok(Self { pools, runtime: starting.recv().map_err(stopped)??, _running: running })
    }

    /// Returns the names of keys.
    pub fn keys(&self) -> &RedisKeys {
        &self.pools.keys
    }

    /// Sends one call to the Redis of the bucket. Must be awaited in work that was [spawned](Self::spawn) here.
    pub async fn call(&self, bucket: Bucket, call: &RedisCall<'_>) -> Result<Value, CallError> {
        let pool = &self.pools.pools[self.pools.instances[bucket.index()]];
        pool.call(self.keys().buckets().slot(bucket), call).await
    }

    /// Sends many calls, which share round trips. The replies are in the order of the calls. Must be awaited in work that
    /// was [spawned](Self::spawn) here.
    pub async fn call_all(&self, calls: Vec<(Bucket, RedisCall<'_>)>) -> Vec<Result<Value, CallError>> {
        let mut by_instance: Vec<Vec<(Slot, RedisCall<'_>)>> = self.pools.pools.iter().map(|_| Vec::new()).collect();
        let instances: Vec<usize> = calls.iter().map(|(bucket, _)| self.pools.instances[bucket.index()]).collect();
        for ((bucket, call), &instance) in calls.into_iter().zip(&instances) {
            by_instance[instance].push((self.keys().buckets().slot(bucket), call));
        }
        let called = self.pools.pools.iter().zip(&by_instance).map(|(pool, calls)| pool.call_all(calls));
        let mut replies: Vec<_> = join_all(called).await.into_iter().map(Vec::into_iter).collect();
        instances.into_iter().map(|instance| replies[instance].next().expect("each call has a reply")).collect()
    }

    /// Runs work on the thread of the connections. The work runs to its end even if nothing awaits the result.
    pub fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.runtime.spawn(work)
    }

    /// Runs work on the thread of the connections and blocks until it is done. `None` means that the work panicked. For
    /// the start only.
    pub fn block_on<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (done, result) = blocking::sync_channel(1);
        self.spawn(async move {
            // The waiting thread may be gone.
            let _waiter_gone = done.send(work.await);
        });
        result.recv().ok()
    }
}

impl Pools {
    async fn check(&self, names: &[String]) -> Result<(), StartError> {
        for pool in &self.pools {
            startup::check(pool, &self.keys, names).await?;
        }
        Ok(())
    }
}
