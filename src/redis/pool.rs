//! One connection to each master of one configured Redis. The pool discovers the masters again after every sign of a
//! change.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use hashbrown::HashMap;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};
use tokio::sync::Mutex as AsyncMutex;

use super::call::RedisCall;
use super::connector::{Connector, Host};
use super::error::CallError;
use super::slots::Slot;
use super::topology::{Topology, discover};
use crate::clock::Clock;
use crate::metrics::ClusterMetrics;
use crate::presence::time::Timestamp;

/// Maximum number of concurrent calls in [`Pool::call_all`].
const MAX_CONCURRENT_CALLS: usize = 256;

/// Maximum number of attempts of one call, redirections included.
const MAX_REDIRECTIONS: usize = 4;

/// Pause before the next attempt to connect to a server that refused, and before the next discovery of the topology.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

/// Number of consecutive failures after which Redis counts as away.
const MAX_FAILURES: u32 = 3;

/// The slot of the connection to one server.
#[derive(Default)]
struct ConnectionSlot {
    connection: Option<MultiplexedConnection>,
    /// Time and error of the last failed attempt to connect.
    failure: Option<(Timestamp, RedisError)>,
}

/// The connections of one configured Redis.
pub struct Pool {
    connector: Connector,
    clock: Clock,
    metrics: ClusterMetrics,
    /// The topology, if it is known, and the time of its discovery.
    topology: AsyncMutex<(Option<Arc<Topology>>, Timestamp)>,
    connections: Mutex<HashMap<Host, Arc<AsyncMutex<ConnectionSlot>>>>,
    /// Consecutive calls for which Redis was away.
    failures: AtomicU32,
}

impl Pool {
    /// Makes a pool without connections. The first call to a server connects to it.
    pub fn new(connector: Connector, clock: &Clock, metrics: &ClusterMetrics) -> Self {
        Self {
            connector,
            clock: clock.clone(),
            metrics: metrics.clone(),
            topology: AsyncMutex::default(),
            connections: Mutex::default(),
            failures: AtomicU32::new(0),
        }
    }

    /// Returns what opens the pool's connections.
    pub fn connector(&self) -> &Connector {
        &self.connector
    }

    /// Returns whether the last calls all failed.
    pub fn is_away(&self) -> bool {
        self.failures.load(Ordering::Relaxed) >= MAX_FAILURES
    }

    /// Returns the topology. Discovers it if it is not known.
    pub async fn topology(&self) -> RedisResult<Arc<Topology>> {
        let mut known = self.topology.lock().await;
        if let Some(topology) = &known.0 {
            return Ok(topology.clone());
        }
        let hosts: Vec<Host> = self.connections.lock().keys().cloned().collect();
        let found = Arc::new(discover(&self.connector, &hosts).await?);
        *known = (Some(found.clone()), self.clock.now());
        Ok(found)
    }

    /// Forgets the topology, so that the next call discovers it again. A topology younger than [`RETRY_PAUSE`] stays.
    pub async fn forget_topology(&self) {
        let mut known = self.topology.lock().await;
        if self.clock.now().since(known.1) >= RETRY_PAUSE {
            known.0 = None;
        }
    }

    /// Sends one call to the master of a slot and follows redirections.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's errors, most of which mean the same to us")]
    pub async fn call(&self, slot: Slot, call: &RedisCall<'_>) -> Result<Value, CallError> {
        let begin = self.clock.now();
        let mut failure = None;
        // The server that the last reply named, and whether it needs ASKING before the command.
        let mut redirected: Option<(Host, bool)> = None;
        for _ in 0..MAX_REDIRECTIONS {
            let result = match redirected.take() {
                Some((host, asking)) => self.send(&host, call, asking).await,
                None => self.send_to_master(slot, call).await,
            };
            let error = match result {
                Ok(value) => {
                    self.failures.store(0, Ordering::Relaxed);
                    self.metrics.latency.observe(self.clock.now().since(begin).as_secs_f64());
                    return Ok(value);
                }
                Err(error) => error,
            };
            match error.kind() {
                ErrorKind::Server(ServerErrorKind::Ask) => redirected = redirection(&error).map(|host| (host, true)),
                // The call was not carried out: another server has the slot, or the server is no longer a master.
                ErrorKind::Server(ServerErrorKind::Moved) => {
                    self.forget_topology().await;
                    redirected = redirection(&error).map(|host| (host, false));
                }
                ErrorKind::Server(
                    ServerErrorKind::ReadOnly | ServerErrorKind::ClusterDown | ServerErrorKind::MasterDown,
                ) => self.forget_topology().await,
                _ => {
                    failure = Some(error);
                    break;
                }
            }
            failure = Some(error);
        }
        let error = failure.expect("a loop without a reply has failed");
        Err(self.classify(&error))
    }

    /// Sends many calls, each to its master, so that they share round trips. The replies are in the order of the calls.
    pub async fn call_all(&self, calls: &[(Slot, RedisCall<'_>)]) -> Vec<Result<Value, CallError>> {
        let mut replies = Vec::with_capacity(calls.len());
        for chunk in calls.chunks(MAX_CONCURRENT_CALLS) {
            replies.extend(join_all(chunk.iter().map(|(slot, call)| self.call(*slot, call))).await);
        }
        replies
    }

    async fn send_to_master(&self, slot: Slot, call: &RedisCall<'_>) -> RedisResult<Value> {
        let topology = self.topology().await?;
        let Some(host) = topology.host(slot) else {
            self.forget_topology().await;
            return Err(RedisError::from((ErrorKind::ClusterConnectionNotFound, "no server has this slot")));
        };
        self.send(host, call, false).await
    }

    async fn send(&self, host: &Host, call: &RedisCall<'_>, asking: bool) -> RedisResult<Value> {
        let mut connection = match self.connection(host).await {
            Ok(connection) => connection,
            Err(error) => {
                self.forget_topology().await;
                return Err(error);
            }
        };
        let mut result = attempt(&mut connection, call, asking).await;
        if let (Err(error), Some(script)) = (&result, call.script)
            && error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
        {
            script.prepare_invoke().load_async(&mut connection).await?;
            result = attempt(&mut connection, call, asking).await;
        }
        if let Err(error) = &result
            && (error.is_io_error() || error.is_timeout() || error.is_unrecoverable_error())
        {
            self.drop_connection(host).await;
        }
        result
    }

    /// Returns the one shared connection to a server. The first caller opens it.
    pub async fn connection(&self, host: &Host) -> RedisResult<MultiplexedConnection> {
        let slot = self.connections.lock().entry(host.clone()).or_default().clone();
        let mut slot = slot.lock().await;
        if let Some(connection) = &slot.connection {
            return Ok(connection.clone());
        }
        if let Some((at, error)) = &slot.failure
            && self.clock.now().since(*at) < RETRY_PAUSE
        {
            return Err(error.clone());
        }
        match self.connector.for_commands(host).await {
            Ok(connection) => {
                *slot = ConnectionSlot { connection: Some(connection.clone()), failure: None };
                Ok(connection)
            }
            Err(error) => {
                slot.failure = Some((self.clock.now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn drop_connection(&self, host: &Host) {
        let slot = self.connections.lock().get(host).cloned();
        if let Some(slot) = slot {
            slot.lock().await.connection = None;
        }
        self.forget_topology().await;
    }

    /// Classifies a failure and counts it.
    fn classify(&self, error: &RedisError) -> CallError {
        let classified = CallError::from(error);
        if matches!(classified, CallError::Unavailable(_)) {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        self.metrics.failures.inc();
        classified
    }
}

/// Returns the server that a redirection names. `None` means that it names no server, so that the pool has to discover
/// the topology.
fn redirection(error: &RedisError) -> Option<Host> {
    // The text is "host:port", beside the slot. An IPv6 address has no brackets.
    let (address, _slot) = error.redirect_node()?;
    let (name, port) = address.rsplit_once(':')?;
    (!name.is_empty()).then_some((name.to_owned(), port.parse().ok()?))
}

async fn attempt(connection: &mut MultiplexedConnection, call: &RedisCall<'_>, asking: bool) -> RedisResult<Value> {
    if asking {
        let mut pipeline = redis::pipe();
        pipeline.cmd("ASKING").ignore().add_command(call.command.clone());
        let mut replies: Vec<Value> = pipeline.query_async(connection).await?;
        return Ok(replies.pop().unwrap_or_default());
    }
    call.command.query_async(connection).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirection_names_a_server_or_none() {
        let moved = |text: &str| {
            let kind = ErrorKind::Server(ServerErrorKind::Moved);
            redirection(&RedisError::from((kind, "moved", text.to_owned())))
        };
        assert_eq!(moved("3999 127.0.0.1:6381"), Some(("127.0.0.1".to_owned(), 6381)));
        assert_eq!(moved("3999 ::1:6381"), Some(("::1".to_owned(), 6381)));
        for unnamed in ["3999 :6381", "3999", "3999 host", "3999 host:port"] {
            assert_eq!(moved(unnamed), None, "{unnamed}");
        }
    }
}
