//! Limits the requests of one store that are under way.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::ready;
use tokio::sync::{Semaphore, TryAcquireError};

use crate::redis::storage::Storage;
use crate::store::{StoreError, StoreFuture};

/// Maximum number of requests under way or queued: more than the clients that log in to a node at once. Further requests
/// are refused with [`StoreError::Busy`].
const MAX_REQUESTS: u32 = 65_536;

/// Counts the requests that are under way.
#[derive(Debug)]
pub struct RequestLimiter(Arc<Semaphore>);

impl RequestLimiter {
    /// Makes a limiter without requests.
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(MAX_REQUESTS as usize)))
    }

    /// Runs a request on the storage's thread. Requests start in the order of the calls, and run to their end even if nothing
    /// awaits the result.
    pub fn run<'a, T: Send + 'static>(
        &self,
        storage: &Storage,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> StoreFuture<'a, T> {
        let permit = match self.0.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(TryAcquireError::NoPermits) => return ready(Err(StoreError::Busy)).boxed(),
            Err(TryAcquireError::Closed) => return ready(Err(StoreError::Closed)).boxed(),
        };
        let task = storage.spawn(async move {
            let result = work.await;
            drop(permit);
            result
        });
        async move { task.await.map_err(|_| StoreError::Closed)? }.boxed()
    }

    /// Waits for the requests that are under way and refuses further ones.
    pub fn close(&self) -> StoreFuture<'_, ()> {
        async {
            if let Ok(_all) = self.0.acquire_many(MAX_REQUESTS).await {
                self.0.close();
            }
            Ok(())
        }
        .boxed()
    }
}
