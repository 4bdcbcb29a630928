//! Redis as a place where things are kept: calls of the stores, over connections of their own.
//!
//! What is kept and how is the stores' business; here is which Redis a bucket's call goes to, and the thread that the
//! connections live on. It needs no lease: a node that is isolated may still read and write what belongs to accounts.

use std::convert::Infallible;
use std::sync::{Arc, mpsc as blocking};

use futures_util::future::join_all;
use redis::Value;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::connect::Connector;
use super::pool::Pool;
pub use super::reader::parse;
use super::script::Call;
use super::{StartError, startup, threads};
use crate::clock::Clock;
use crate::cluster::BackplaneError;
use crate::cluster::keys::Keys;
use crate::cluster::slot::{Bucket, Buckets, Slot};
use crate::config::{ClusterConfig, RedisAddress};
use crate::metrics::Metrics;

/// Every configured Redis, for the stores. Cheap to clone; the thread and the connections end with the last clone.
#[derive(Clone)]
pub struct Storage {
    shelves: Arc<Pools>,
    runtime: Handle,
    /// The thread runs while somebody has one of these.
    _running: mpsc::Sender<Infallible>,
}

struct Pools {
    pools: Vec<Pool>,
    /// The Redis of each bucket.
    places: Vec<usize>,
    keys: Keys,
}

impl Storage {
    /// Connects to every Redis and checks it. Blocks: for the start.
    pub fn open(config: &ClusterConfig, clock: &Clock, metrics: &Metrics) -> Result<Self, StartError> {
        let buckets = Buckets::new(config.buckets.get());
        let names: Vec<String> = config.redis.iter().map(RedisAddress::name).collect();
        let places = buckets.all().map(|bucket| buckets.place(bucket, &names)).collect();
        let pool = |address| {
            let connector = Connector::new(address, config, config.response_timeout.0)?;
            Ok(Pool::new(connector, clock, metrics.cluster()))
        };
        let pools = config.redis.iter().map(pool).collect::<Result<_, StartError>>()?;
        let keys = Keys::new(config.prefix.as_str(), buckets);
        let shelves = Arc::new(Pools { pools, places, keys });

        let (running, mut ended) = mpsc::channel::<Infallible>(1);
        let (started, starting) = blocking::sync_channel(1);
        let checked = shelves.clone();
        threads::spawn("storage", move || async move {
            let result = checked.check(&names).await;
            drop(checked);
            let failed = result.is_err();
            if started.send(result.map(|()| Handle::current())).is_ok() && !failed {
                ended.recv().await;
            }
        })?;
        let stopped = |_| StartError::Thread("the storage stopped".into());
        Ok(Self { shelves, runtime: starting.recv().map_err(stopped)??, _running: running })
    }

    /// The names of keys.
    pub fn keys(&self) -> &Keys {
        &self.shelves.keys
    }

    /// One call, to the Redis that has the bucket. To be awaited in what is [spawned](Self::spawn) here.
    pub async fn call(&self, bucket: Bucket, call: &Call<'_>) -> Result<Value, BackplaneError> {
        let pool = &self.shelves.pools[self.shelves.places[bucket.index()]];
        pool.call(self.keys().buckets().slot(bucket), call).await
    }

    /// Many calls, which share round trips. The answers are in the same order. To be awaited in what is
    /// [spawned](Self::spawn) here.
    pub async fn call_all(&self, calls: Vec<(Bucket, Call<'_>)>) -> Vec<Result<Value, BackplaneError>> {
        let mut sorted: Vec<Vec<(Slot, Call<'_>)>> = self.shelves.pools.iter().map(|_| Vec::new()).collect();
        let places: Vec<usize> = calls.iter().map(|(bucket, _)| self.shelves.places[bucket.index()]).collect();
        for ((bucket, call), &place) in calls.into_iter().zip(&places) {
            sorted[place].push((self.keys().buckets().slot(bucket), call));
        }
        let asked = self.shelves.pools.iter().zip(&sorted).map(|(pool, calls)| pool.call_all(calls));
        let mut answers: Vec<_> = join_all(asked).await.into_iter().map(Vec::into_iter).collect();
        places.into_iter().map(|place| answers[place].next().expect("there is an answer to each call")).collect()
    }

    /// Has something done on the thread of the connections. It is done also if nobody waits for it.
    pub fn spawn<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.runtime.spawn(work)
    }

    /// Likewise, and blocks until it is done; none: it failed. For the start.
    pub fn wait_for<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> Option<T> {
        let (done, result) = blocking::sync_channel(1);
        self.spawn(async move {
            // Who waits may be gone.
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
