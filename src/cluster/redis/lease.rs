//! The node's lease: renewed from a thread of its own, which nothing else can delay.
//!
//! The records of a node in Redis belong to an *incarnation*. When the lease is not renewed in time, the other nodes declare
//! the incarnation dead and remove its records. A node that was only away continues under a new incarnation and announces
//! everything again. Nothing of the old incarnation is used: its late writes are fenced.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::scripts::BackplaneScripts;
use crate::clock::Clock;
use crate::cluster::NodeHealth;
use crate::cluster::node::{Incarnation, NodeInfo};
use crate::cluster::view::RemoteView;
use crate::metrics::ClusterMetrics;
use crate::presence::time::Timestamp;
use crate::redis::call::RedisCall;
use crate::redis::error::CallError;
use crate::redis::keys::RedisKeys;
use crate::redis::pool::Pool;

/// The state of the lease at one Redis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Whether the lease is renewed.
    pub health: NodeHealth,
    /// The current incarnation.
    pub incarnation: Incarnation,
    /// The incarnation before it. Some of its records may still be there.
    pub former: Option<Incarnation>,
    /// The former incarnation was declared dead. Otherwise Redis forgot it, and no node removes its records.
    pub was_dead: bool,
    /// All incarnations with a lease.
    pub live: Vec<Incarnation>,
    /// Incarnations that were declared dead lately.
    pub dead: Vec<Incarnation>,
    /// Incarnations with a lease of nodes that have left.
    pub retired: Vec<Incarnation>,
}

/// Renews the lease at one Redis.
pub struct LeaseKeeper {
    pub pool: Pool,
    pub keys: RedisKeys,
    pub clock: Clock,
    pub metrics: ClusterMetrics,
    pub view: Arc<RemoteView>,
    pub ttl: Duration,
    pub interval: Duration,
    /// Triggers a renewal at once.
    pub renew_now: Arc<Notify>,
    /// What the node publishes about itself.
    pub info: watch::Receiver<NodeInfo>,
}

/// A request to release the lease. The node's records stay for `hold`.
pub struct LeaveRequest {
    pub hold: Duration,
    pub done: oneshot::Sender<Result<(), CallError>>,
}

/// The result of a renewal.
enum Renewal {
    Renewed {
        live: Vec<Incarnation>,
        dead: Vec<Incarnation>,
        retired: Vec<Incarnation>,
    },
    /// The incarnation is dead or unknown, so that a new one has to begin.
    Lost(String),
}

impl LeaseKeeper {
    /// Begins the first incarnation.
    pub async fn begin(&self, scripts: &BackplaneScripts) -> Result<Lease, CallError> {
        let next = RedisCall::script(&scripts.begin, &[self.keys.nodes("inc")], &[]);
        let reply = self.pool.call(RedisKeys::nodes_slot(), &next).await?;
        let Value::Int(number) = reply else {
            return Err(CallError::Refused(format!("no incarnation but {reply:?}")));
        };
        let incarnation = Incarnation::from(number.unsigned_abs());
        // The view must know the incarnation as its own before anything is written under it.
        self.view.add_own(incarnation);
        self.metrics.incarnations.inc();
        match self.renew(scripts, incarnation, true).await? {
            Renewal::Renewed { live, dead, retired } => {
                let (health, former, was_dead) = (NodeHealth::Joined, None, false);
                Ok(Lease { health, incarnation, former, was_dead, live, dead, retired })
            }
            Renewal::Lost(text) => Err(CallError::Refused(text)),
        }
    }

    /// Renews the lease until a request to leave arrives.
    pub async fn run(
        &self,
        scripts: BackplaneScripts,
        state: watch::Sender<Arc<Lease>>,
        mut leave: mpsc::Receiver<LeaveRequest>,
    ) {
        let mut renewed = self.clock.now();
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.interval) => {}
                () = self.renew_now.notified() => {}
                leave = leave.recv() => {
                    if let Some(leave) = leave {
                        let incarnation = state.borrow().incarnation;
                        // The caller may no longer wait.
                        let _caller_gone = leave.done.send(self.leave(&scripts, incarnation, leave.hold).await);
                    }
                    return;
                }
            }
            renewed = self.heartbeat(&scripts, &state, renewed).await;
        }
    }

    /// Renews once. Returns the time at which the last successful renewal began: if a stalled Redis renews a lease late, the
    /// lease counts from the request, not from the reply.
    async fn heartbeat(
        &self,
        scripts: &BackplaneScripts,
        state: &watch::Sender<Arc<Lease>>,
        renewed: Timestamp,
    ) -> Timestamp {
        let begin = self.clock.now();
        let known = state.borrow().clone();
        let mut renewal = pin!(self.renew_or_begin(scripts, &known));
        let result = loop {
            tokio::select! {
                result = &mut renewal => break result,
                () = tokio::time::sleep(self.interval) => self.missed(state, renewed, "no reply yet"),
            }
        };
        match result {
            Ok(lease) => {
                if state.borrow().health != NodeHealth::Joined {
                    log::info!(redis = self.pool.connector().address().name(); "redis is back");
                }
                self.metrics.lease_age.set(self.clock.now().since(begin).as_secs_f64());
                publish(state, lease);
                begin
            }
            Err(error) => {
                self.missed(state, renewed, &error.to_string());
                renewed
            }
        }
    }

    async fn renew_or_begin(&self, scripts: &BackplaneScripts, known: &Lease) -> Result<Lease, CallError> {
        match self.renew(scripts, known.incarnation, false).await? {
            Renewal::Renewed { live, dead, retired } => {
                Ok(Lease { health: NodeHealth::Joined, live, dead, retired, ..known.clone() })
            }
            Renewal::Lost(reason) => {
                log::warn!(incarnation:% = known.incarnation, reason; "the lease is lost; continuing under a new incarnation");
                let was_dead = reason.contains("DEAD");
                Ok(Lease { former: Some(known.incarnation), was_dead, ..self.begin(scripts).await? })
            }
        }
    }

    /// Takes note that the lease was not renewed. It may have expired.
    fn missed(&self, state: &watch::Sender<Arc<Lease>>, renewed: Timestamp, why: &str) {
        let age = self.clock.now().since(renewed);
        self.metrics.lease_age.set(age.as_secs_f64());
        let health = if age + self.interval >= self.ttl { NodeHealth::Isolated } else { NodeHealth::Degraded };
        let known = state.borrow().clone();
        if health != known.health {
            let redis = self.pool.connector().address().name();
            log::warn!(redis, health:? = health; "the lease is not renewed: {why}");
            publish(state, Lease { health, ..(*known).clone() });
        }
    }

    async fn renew(
        &self,
        scripts: &BackplaneScripts,
        incarnation: Incarnation,
        first: bool,
    ) -> Result<Renewal, CallError> {
        let keys = ["lease", "dead", "epoch", "clock", "retired", "names", "meta"].map(|name| self.keys.nodes(name));
        let info = self.info.borrow().clone();
        let meta = serde_json::to_string(&info).expect("plain fields");
        let ttl = self.ttl.as_millis().to_string();
        let epoch = uuid::Uuid::new_v4().simple().to_string();
        let (name, own) = (info.name.as_str(), incarnation.to_string());
        let arguments = [own.as_str(), &ttl, if first { "1" } else { "" }, &epoch, name, &meta, &ttl];
        let call = RedisCall::script(&scripts.lease, &keys, &arguments.map(str::as_bytes));
        match self.pool.call(RedisKeys::nodes_slot(), &call).await {
            Ok(Value::Array(fields)) => match &fields[..] {
                [Value::Array(live), Value::Array(dead), _, _, Value::Array(retired)] => {
                    let (live, dead) = (incarnations(live), incarnations(dead));
                    Ok(Renewal::Renewed { live, dead, retired: incarnations(retired) })
                }
                _ => Err(CallError::Refused("a lease of another form".into())),
            },
            Ok(other) => Err(CallError::Refused(format!("no lease but {other:?}"))),
            Err(CallError::Refused(text)) if text.contains("DEAD") || text.contains("UNKNOWN") => {
                Ok(Renewal::Lost(text))
            }
            Err(error) => Err(error),
        }
    }

    async fn leave(
        &self,
        scripts: &BackplaneScripts,
        incarnation: Incarnation,
        hold: Duration,
    ) -> Result<(), CallError> {
        let keys = [self.keys.nodes("lease"), self.keys.nodes("retired")];
        let (incarnation, hold) = (incarnation.to_string(), hold.as_millis().to_string());
        let call = RedisCall::script(&scripts.leave, &keys, &[incarnation.as_bytes(), hold.as_bytes()]);
        self.pool.call(RedisKeys::nodes_slot(), &call).await.map(drop)
    }
}

fn publish(state: &watch::Sender<Arc<Lease>>, lease: Lease) {
    state.send_if_modified(|known| {
        let changed = **known != lease;
        *known = Arc::new(lease);
        changed
    });
}

fn incarnations(values: &[Value]) -> Vec<Incarnation> {
    let read = |value: &Value| {
        let Value::BulkString(text) = value else { return None };
        Incarnation::parse(text)
    };
    values.iter().filter_map(read).collect()
}
