//! Many calls in one request.

use futures_util::{StreamExt, stream};

use super::{Command, Reply, Users};
use crate::api::ApiError;

/// The most calls in one request.
pub const MAX_BATCH_COMMANDS: usize = 1024;

/// Calls of one batch that are under way at once at most.
const AT_ONCE: usize = 32;

/// In which order the calls of a batch are carried out; they are answered in their own order either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchMode {
    /// Each after the one before it.
    Sequential,
    /// Some at once.
    Parallel,
}

impl Users {
    /// Carries out each call, whatever becomes of the others. One that could not be read keeps its error.
    pub async fn batch(
        &self,
        commands: Vec<Result<Command, ApiError>>,
        order: BatchMode,
    ) -> Vec<Result<Reply, ApiError>> {
        let calls = commands.into_iter().map(|command| async { self.call(command?).await });
        let at_once = match order {
            BatchMode::Sequential => 1,
            BatchMode::Parallel => AT_ONCE,
        };
        stream::iter(calls).buffered(at_once).collect().await
    }
}
