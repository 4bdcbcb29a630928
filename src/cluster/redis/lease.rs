//! The node's lease: renewed from a thread of its own, which nothing else can hold up.
//!
//! What a node has in Redis belongs to an *incarnation*. When the lease was not renewed in time the others declare the
//! incarnation dead and remove what it has; a node that only was away goes on under a new one and announces everything
//! again. Nothing of the old life is used: late writes of it are fenced.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use redis::Value;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::pool::Pool;
use super::script::{Call, Scripts};
use crate::clock::Clock;
use crate::cluster::keys::Keys;
use crate::cluster::node::{Incarnation, NodeInfo};
use crate::cluster::view::Table;
use crate::cluster::{BackplaneError, NodeHealth};
use crate::metrics::ClusterMetrics;
use crate::presence::time::Timestamp;

/// How the lease at one Redis stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Whether it is renewed.
    pub standing: NodeHealth,
    /// The present life.
    pub incarnation: Incarnation,
    /// The life before: what it had may not all be removed.
    pub former: Option<Incarnation>,
    /// It was declared dead; else Redis forgot it, and nobody removes what it had.
    pub was_dead: bool,
    /// Everybody who has a lease.
    pub live: Vec<Incarnation>,
    /// Who was declared dead lately.
    pub dead: Vec<Incarnation>,
    /// Who has a lease and is gone.
    pub retired: Vec<Incarnation>,
}

/// Renews the lease at one Redis.
pub struct LeaseKeeper {
    pub pool: Pool,
    pub keys: Keys,
    pub clock: Clock,
    pub metrics: ClusterMetrics,
    pub table: Arc<Table>,
    pub ttl: Duration,
    pub interval: Duration,
    /// Has the lease renewed at once.
    pub poke: Arc<Notify>,
    /// What the node says of itself.
    pub info: watch::Receiver<NodeInfo>,
}

/// The end: give the lease up, held for as long.
pub struct Leave {
    pub hold: Duration,
    pub done: oneshot::Sender<Result<(), BackplaneError>>,
}

/// What a renewal found.
enum Beat {
    Renewed {
        live: Vec<Incarnation>,
        dead: Vec<Incarnation>,
        retired: Vec<Incarnation>,
    },
    /// The incarnation is dead or unknown: another has to begin.
    Lost(String),
}

impl LeaseKeeper {
    /// Begins a first life.
    pub async fn begin(&self, scripts: &Scripts) -> Result<Lease, BackplaneError> {
        let next = Call::script(&scripts.begin, &[self.keys.nodes("inc")], &[]);
        let answer = self.pool.call(Keys::nodes_slot(), &next).await?;
        let Value::Int(number) = answer else {
            return Err(BackplaneError::Refused(format!("no incarnation but {answer:?}")));
        };
        let incarnation = Incarnation::from(number.unsigned_abs());
        // Known as our own before anything is written under it.
        self.table.add_own(incarnation);
        self.metrics.incarnations.inc();
        match self.renew(scripts, incarnation, true).await? {
            Beat::Renewed { live, dead, retired } => {
                let (standing, former, was_dead) = (NodeHealth::Joined, None, false);
                Ok(Lease { standing, incarnation, former, was_dead, live, dead, retired })
            }
            Beat::Lost(text) => Err(BackplaneError::Refused(text)),
        }
    }

    /// Renews until it is told to leave.
    pub async fn run(&self, scripts: Scripts, state: watch::Sender<Arc<Lease>>, mut leave: mpsc::Receiver<Leave>) {
        let mut renewed = self.clock.now();
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.interval) => {}
                () = self.poke.notified() => {}
                leave = leave.recv() => {
                    if let Some(leave) = leave {
                        let incarnation = state.borrow().incarnation;
                        // Who asked may no longer wait.
                        let _asker_gone = leave.done.send(self.leave(&scripts, incarnation, leave.hold).await);
                    }
                    return;
                }
            }
            renewed = self.beat(&scripts, &state, renewed).await;
        }
    }

    /// One renewal; returns when the last one that succeeded began: a lease that a stalled Redis renews late was renewed
    /// when it was asked, not when it answered.
    async fn beat(&self, scripts: &Scripts, state: &watch::Sender<Arc<Lease>>, renewed: Timestamp) -> Timestamp {
        let begin = self.clock.now();
        let known = state.borrow().clone();
        let mut renewal = pin!(self.renew_or_begin(scripts, &known));
        let result = loop {
            tokio::select! {
                result = &mut renewal => break result,
                () = tokio::time::sleep(self.interval) => self.missed(state, renewed, "no answer yet"),
            }
        };
        match result {
            Ok(lease) => {
                if state.borrow().standing != NodeHealth::Joined {
                    log::info!(redis = self.pool.connector().address().name(); "redis is back");
                }
                self.metrics.lease_age.set(self.clock.now().since(begin).as_secs_f64());
                tell(state, lease);
                begin
            }
            Err(error) => {
                self.missed(state, renewed, &error.to_string());
                renewed
            }
        }
    }

    async fn renew_or_begin(&self, scripts: &Scripts, known: &Lease) -> Result<Lease, BackplaneError> {
        match self.renew(scripts, known.incarnation, false).await? {
            Beat::Renewed { live, dead, retired } => {
                Ok(Lease { standing: NodeHealth::Joined, live, dead, retired, ..known.clone() })
            }
            Beat::Lost(reason) => {
                log::warn!(incarnation:% = known.incarnation, reason; "the lease is lost; going on under another");
                let was_dead = reason.contains("DEAD");
                Ok(Lease { former: Some(known.incarnation), was_dead, ..self.begin(scripts).await? })
            }
        }
    }

    /// The lease was not renewed; it may have run out.
    fn missed(&self, state: &watch::Sender<Arc<Lease>>, renewed: Timestamp, why: &str) {
        let age = self.clock.now().since(renewed);
        self.metrics.lease_age.set(age.as_secs_f64());
        let standing = if age + self.interval >= self.ttl { NodeHealth::Isolated } else { NodeHealth::Degraded };
        let known = state.borrow().clone();
        if standing != known.standing {
            let redis = self.pool.connector().address().name();
            log::warn!(redis, standing:? = standing; "the lease is not renewed: {why}");
            tell(state, Lease { standing, ..(*known).clone() });
        }
    }

    async fn renew(&self, scripts: &Scripts, incarnation: Incarnation, first: bool) -> Result<Beat, BackplaneError> {
        let keys = ["lease", "dead", "epoch", "clock", "retired", "names", "meta"].map(|name| self.keys.nodes(name));
        let info = self.info.borrow().clone();
        let meta = serde_json::to_string(&info).expect("plain fields");
        let ttl = self.ttl.as_millis().to_string();
        let epoch = uuid::Uuid::new_v4().simple().to_string();
        let (name, own) = (info.name.as_str(), incarnation.to_string());
        let arguments = [own.as_str(), &ttl, if first { "1" } else { "" }, &epoch, name, &meta, &ttl];
        let call = Call::script(&scripts.lease, &keys, &arguments.map(str::as_bytes));
        match self.pool.call(Keys::nodes_slot(), &call).await {
            Ok(Value::Array(fields)) => match &fields[..] {
                [Value::Array(live), Value::Array(dead), _, _, Value::Array(retired)] => {
                    let (live, dead) = (incarnations(live), incarnations(dead));
                    Ok(Beat::Renewed { live, dead, retired: incarnations(retired) })
                }
                _ => Err(BackplaneError::Refused("a lease of another form".into())),
            },
            Ok(other) => Err(BackplaneError::Refused(format!("no lease but {other:?}"))),
            Err(BackplaneError::Refused(text)) if text.contains("DEAD") || text.contains("UNKNOWN") => {
                Ok(Beat::Lost(text))
            }
            Err(error) => Err(error),
        }
    }

    async fn leave(&self, scripts: &Scripts, incarnation: Incarnation, hold: Duration) -> Result<(), BackplaneError> {
        let keys = [self.keys.nodes("lease"), self.keys.nodes("retired")];
        let (incarnation, hold) = (incarnation.to_string(), hold.as_millis().to_string());
        let call = Call::script(&scripts.leave, &keys, &[incarnation.as_bytes(), hold.as_bytes()]);
        self.pool.call(Keys::nodes_slot(), &call).await.map(drop)
    }
}

fn tell(state: &watch::Sender<Arc<Lease>>, lease: Lease) {
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
