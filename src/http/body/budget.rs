//! The memory of all bodies that are read at once.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::BodyError;

/// Memory is counted in blocks of this size, in bytes.
const BLOCK: usize = 4096;

/// The memory that bodies may take together. A new body waits for its first block; one that grows does not wait, and is
/// refused when all is taken: bodies that wait for one another would keep what they have.
#[derive(Clone)]
pub struct BodyBudget(Arc<Semaphore>);

impl BodyBudget {
    /// A budget of this many bytes.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Semaphore::new(blocks(bytes))))
    }

    /// Waits for the first block of a body and `overhead` bytes.
    pub async fn share(&self, overhead: usize) -> BodyShare {
        let count = u32::try_from(blocks(BLOCK + overhead)).unwrap_or(u32::MAX);
        let permit = self.0.clone().acquire_many_owned(count).await.expect("the semaphore is never closed");
        BodyShare { budget: self.0.clone(), permit, capacity: BLOCK }
    }
}

/// What one body has of the budget. Returned when it is dropped.
#[derive(Debug)]
pub struct BodyShare {
    budget: Arc<Semaphore>,
    permit: OwnedSemaphorePermit,
    /// Bytes that the body may have.
    capacity: usize,
}

impl BodyShare {
    /// Makes room in `buffer` for `more` bytes, within `max` in all.
    pub fn reserve(&mut self, buffer: &mut Vec<u8>, more: usize, max: usize) -> Result<(), BodyError> {
        let needed = buffer.len() + more;
        if needed > max {
            return Err(BodyError::TooLarge);
        }
        if needed > self.capacity {
            // Doubled, as a vector grows: a body is moved few times.
            let grown = needed.max(self.capacity * 2).min(max.max(BLOCK));
            let count = u32::try_from(blocks(grown - self.capacity)).unwrap_or(u32::MAX);
            let more = self.budget.clone().try_acquire_many_owned(count).map_err(|_| BodyError::Busy)?;
            self.permit.merge(more);
            self.capacity = grown;
        }
        if buffer.capacity() < needed {
            buffer.reserve_exact(self.capacity - buffer.len());
        }
        Ok(())
    }
}

fn blocks(bytes: usize) -> usize {
    bytes.div_ceil(BLOCK)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn a_body_that_grows_past_the_budget_is_refused_and_one_that_begins_waits() {
        let budget = BodyBudget::new(4 * BLOCK);
        let mut first = budget.share(0).now_or_never().unwrap();
        let mut buffer = Vec::new();
        first.reserve(&mut buffer, 3 * BLOCK, 100 * BLOCK).unwrap();
        assert!(buffer.capacity() >= 3 * BLOCK);
        let mut second = budget.share(0).now_or_never().unwrap();
        let mut other = Vec::new();
        second.reserve(&mut other, BLOCK, 100 * BLOCK).unwrap();
        assert_eq!(second.reserve(&mut other, BLOCK + 1, 100 * BLOCK), Err(BodyError::Busy));
        assert!(other.capacity() <= BLOCK, "nothing was allocated for it");
        assert!(budget.share(0).now_or_never().is_none(), "a third one waits");
        drop(first);
        assert!(budget.share(0).now_or_never().is_some());
        second.reserve(&mut other, BLOCK + 1, 100 * BLOCK).unwrap();
        drop(second);
        assert!(budget.share(3 * BLOCK).now_or_never().is_some(), "everything was returned");
    }

    #[test]
    fn a_body_is_refused_past_its_own_maximum_before_memory_is_taken() {
        let mut share = BodyBudget::new(100 * BLOCK).share(0).now_or_never().unwrap();
        let mut buffer = vec![0; 1000];
        assert_eq!(share.reserve(&mut buffer, 25, 1024), Err(BodyError::TooLarge));
        assert_eq!(share.reserve(&mut buffer, 24, 1024), Ok(()));
    }
}
