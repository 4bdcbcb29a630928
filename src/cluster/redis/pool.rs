//! One connection to each master of one configured Redis, found again whenever something changes there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use hashbrown::HashMap;
use parking_lot::Mutex;
use redis::aio::MultiplexedConnection;
use redis::{ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};
use tokio::sync::Mutex as AsyncMutex;

use super::connect::{Connector, Host};
use super::script::Call;
use super::topology::{Topology, discover};
use crate::clock::Clock;
use crate::cluster::BackplaneError;
use crate::cluster::slot::Slot;
use crate::metrics::ClusterMetrics;
use crate::presence::time::Timestamp;

/// Calls under way at a time in [`Pool::call_all`].
const AT_ONCE: usize = 256;

/// Where a command may be sent again after a server said that it is another's.
const REDIRECTIONS: usize = 4;

/// A server that refused is not tried again for this long; nor is the topology asked for.
const PAUSE: Duration = Duration::from_millis(100);

/// Failures in a row after which Redis counts as away.
const FAILURES: u32 = 3;

/// The place of one server's connection.
#[derive(Default)]
struct ConnectionSlot {
    line: Option<MultiplexedConnection>,
    /// The last failure to connect, and when.
    failure: Option<(Timestamp, RedisError)>,
}

/// The connections of one configured Redis.
pub struct Pool {
    connector: Connector,
    clock: Clock,
    metrics: ClusterMetrics,
    topology: AsyncMutex<(Option<Arc<Topology>>, Timestamp)>,
    seats: Mutex<HashMap<Host, Arc<AsyncMutex<ConnectionSlot>>>>,
    failures: AtomicU32,
}

impl Pool {
    /// Connects to nobody yet.
    pub fn new(connector: Connector, clock: &Clock, metrics: &ClusterMetrics) -> Self {
        Self {
            connector,
            clock: clock.clone(),
            metrics: metrics.clone(),
            topology: AsyncMutex::default(),
            seats: Mutex::default(),
            failures: AtomicU32::new(0),
        }
    }

    /// Knows how to log in.
    pub fn connector(&self) -> &Connector {
        &self.connector
    }

    /// Whether the last calls all failed.
    pub fn is_away(&self) -> bool {
        self.failures.load(Ordering::Relaxed) >= FAILURES
    }

    /// Which server has what; asked for if it is not known.
    pub async fn topology(&self) -> RedisResult<Arc<Topology>> {
        let mut place = self.topology.lock().await;
        if let Some(topology) = &place.0 {
            return Ok(topology.clone());
        }
        let known: Vec<Host> = self.seats.lock().keys().cloned().collect();
        let found = Arc::new(discover(&self.connector, &known).await?);
        *place = (Some(found.clone()), self.clock.now());
        Ok(found)
    }

    /// Has the topology asked for again, unless that has just been done.
    pub async fn forget_topology(&self) {
        let mut place = self.topology.lock().await;
        if self.clock.now().since(place.1) >= PAUSE {
            place.0 = None;
        }
    }

    /// Sends one command to the master of a slot.
    #[expect(clippy::wildcard_enum_match_arm, reason = "the library's errors, most of which mean the same to us")]
    pub async fn call(&self, slot: Slot, call: &Call<'_>) -> Result<Value, BackplaneError> {
        let begin = self.clock.now();
        let mut failure = None;
        // Where the answer said to go on, and whether that server is to be asked as a favour.
        let mut redirected: Option<(Host, bool)> = None;
        for _ in 0..REDIRECTIONS {
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
                // Not carried out: the slot is another's, or its server is no master any more.
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
        let error = failure.expect("a loop that found no answer failed");
        Err(self.classify(&error))
    }

    /// Sends many, each to its master, so that they share round trips. The answers are in the same order.
    pub async fn call_all(&self, calls: &[(Slot, Call<'_>)]) -> Vec<Result<Value, BackplaneError>> {
        let mut answers = Vec::with_capacity(calls.len());
        for some in calls.chunks(AT_ONCE) {
            answers.extend(join_all(some.iter().map(|(slot, call)| self.call(*slot, call))).await);
        }
        answers
    }

    async fn send_to_master(&self, slot: Slot, call: &Call<'_>) -> RedisResult<Value> {
        let topology = self.topology().await?;
        let Some(host) = topology.host(slot) else {
            self.forget_topology().await;
            return Err(RedisError::from((ErrorKind::ClusterConnectionNotFound, "nobody has this slot")));
        };
        self.send(host, call, false).await
    }

    async fn send(&self, host: &Host, call: &Call<'_>, asking: bool) -> RedisResult<Value> {
        let mut line = match self.line(host).await {
            Ok(line) => line,
            Err(error) => {
                self.forget_topology().await;
                return Err(error);
            }
        };
        let mut result = attempt(&mut line, call, asking).await;
        if let (Err(error), Some(script)) = (&result, call.script)
            && error.kind() == ErrorKind::Server(ServerErrorKind::NoScript)
        {
            script.prepare_invoke().load_async(&mut line).await?;
            result = attempt(&mut line, call, asking).await;
        }
        if let Err(error) = &result
            && (error.is_io_error() || error.is_timeout() || error.is_unrecoverable_error())
        {
            self.drop_line(host).await;
        }
        result
    }

    /// The connection to a server: one for everybody, made by whoever needs it first.
    pub async fn line(&self, host: &Host) -> RedisResult<MultiplexedConnection> {
        let seat = self.seats.lock().entry(host.clone()).or_default().clone();
        let mut seat = seat.lock().await;
        if let Some(line) = &seat.line {
            return Ok(line.clone());
        }
        if let Some((at, error)) = &seat.failure
            && self.clock.now().since(*at) < PAUSE
        {
            return Err(error.clone());
        }
        match self.connector.line(host).await {
            Ok(line) => {
                *seat = ConnectionSlot { line: Some(line.clone()), failure: None };
                Ok(line)
            }
            Err(error) => {
                seat.failure = Some((self.clock.now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn drop_line(&self, host: &Host) {
        let seat = self.seats.lock().get(host).cloned();
        if let Some(seat) = seat {
            seat.lock().await.line = None;
        }
        self.forget_topology().await;
    }

    fn classify(&self, error: &RedisError) -> BackplaneError {
        let classified = classify(error);
        if matches!(classified, BackplaneError::Unavailable(_)) {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        self.metrics.failures.inc();
        classified
    }
}

/// Where an answer says to go on. None: it names nobody, so the topology has to be asked for.
fn redirection(error: &RedisError) -> Option<Host> {
    // "host:port", and the slot. An IPv6 address is not in brackets.
    let (address, _slot) = error.redirect_node()?;
    let (name, port) = address.rsplit_once(':')?;
    (!name.is_empty()).then_some((name.to_owned(), port.parse().ok()?))
}

async fn attempt(line: &mut MultiplexedConnection, call: &Call<'_>, asking: bool) -> RedisResult<Value> {
    if asking {
        let mut pipeline = redis::pipe();
        pipeline.cmd("ASKING").ignore().add_command(call.command.clone());
        let mut answers: Vec<Value> = pipeline.query_async(line).await?;
        return Ok(answers.pop().unwrap_or_default());
    }
    call.command.query_async(line).await
}

/// What an error means to us.
pub fn classify(error: &RedisError) -> BackplaneError {
    let text = error.to_string();
    match (error.kind(), error.code()) {
        (_, Some("OOM")) => BackplaneError::Full(text),
        (
            ErrorKind::Server(
                ServerErrorKind::BusyLoading
                | ServerErrorKind::Moved
                | ServerErrorKind::Ask
                | ServerErrorKind::TryAgain
                | ServerErrorKind::ClusterDown
                | ServerErrorKind::MasterDown
                | ServerErrorKind::ReadOnly
                | ServerErrorKind::NoPerm,
            ),
            _,
        )
        | (_, Some("NOAUTH" | "WRONGPASS" | "NOREPLICAS" | "MISCONF")) => BackplaneError::Unavailable(text),
        (ErrorKind::Server(_) | ErrorKind::Extension, _) => BackplaneError::Refused(text),
        _ => BackplaneError::Unavailable(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirection_names_a_server_or_nobody() {
        let moved = |text: &str| {
            let kind = ErrorKind::Server(ServerErrorKind::Moved);
            redirection(&RedisError::from((kind, "moved", text.to_owned())))
        };
        assert_eq!(moved("3999 127.0.0.1:6381"), Some(("127.0.0.1".to_owned(), 6381)));
        assert_eq!(moved("3999 ::1:6381"), Some(("::1".to_owned(), 6381)));
        for nobody in ["3999 :6381", "3999", "3999 host", "3999 host:port"] {
            assert_eq!(moved(nobody), None, "{nobody}");
        }
    }
}
