//! How much of one store's work may be under way.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::ready;
use tokio::sync::{Semaphore, TryAcquireError};

use crate::redis::storage::Storage;
use crate::store::{Answer, StoreError};

/// Requests under way or waiting for their turn at most: more than a node has clients that log in at once. Past that they
/// are refused as [`StoreError::Busy`].
const MAX_REQUESTS: u32 = 65_536;

/// Counts what is under way.
#[derive(Debug)]
pub struct RequestLimiter(Arc<Semaphore>);

impl RequestLimiter {
    /// Nothing is.
    pub fn new() -> Self {
        Self(Arc::new(Semaphore::new(MAX_REQUESTS as usize)))
    }

    /// Has something done on the storage's thread, begun in the order of the calls, whether or not somebody waits for it.
    pub fn run<'a, T: Send + 'static>(
        &self,
        storage: &Storage,
        work: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Answer<'a, T> {
        let place = match self.0.clone().try_acquire_owned() {
            Ok(place) => place,
            Err(TryAcquireError::NoPermits) => return ready(Err(StoreError::Busy)).boxed(),
            Err(TryAcquireError::Closed) => return ready(Err(StoreError::Closed)).boxed(),
        };
        let task = storage.spawn(async move {
            let result = work.await;
            drop(place);
            result
        });
        async move { task.await.map_err(|_| StoreError::Closed)? }.boxed()
    }

    /// Waits for what is under way, and lets nothing more in.
    pub fn close(&self) -> Answer<'_, ()> {
        async {
            if let Ok(_all) = self.0.acquire_many(MAX_REQUESTS).await {
                self.0.close();
            }
            Ok(())
        }
        .boxed()
    }
}
