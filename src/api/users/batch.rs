//! Several calls in one request.

use futures_util::{StreamExt, stream};

/// Maximum number of calls in one request.
pub const MAX_BATCH_COMMANDS: usize = 1024;

/// Maximum number of calls of one parallel batch that run at the same time.
const MAX_PARALLEL_CALLS: usize = 32;

/// Whether the calls of a batch run in sequence. The replies are in the order of the calls in both modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchMode {
    /// Each call starts after the one before it has ended.
    Sequential,
    /// Up to 32 calls run at the same time.
    Parallel,
}

impl BatchMode {
    /// Returns the mode that a request's field `parallel` asks for.
    pub fn from_parallel(parallel: bool) -> Self {
        if parallel { Self::Parallel } else { Self::Sequential }
    }

    /// Runs every call to its end, whatever the others return.
    pub async fn run<T>(self, calls: impl IntoIterator<Item: Future<Output = T>>) -> Vec<T> {
        let limit = match self {
            Self::Sequential => 1,
            Self::Parallel => MAX_PARALLEL_CALLS,
        };
        stream::iter(calls).buffered(limit).collect().await
    }
}
