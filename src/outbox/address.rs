//! The way to an outbox, shared by all who push into it.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::task::{Wake, Waker};

use parking_lot::Mutex;

use super::codec::Codec;
use super::queue::Queue;
use super::{Opening, Outbox, State};
use crate::metrics::Metrics;
use crate::presence::time::Timestamp;
use crate::presence::user::Connection;

/// A follower's address: the shared outbox, compared by identity. Eight bytes.
#[derive(Clone, Debug)]
pub struct Address(Arc<Outbox>);

impl std::ops::Deref for Address {
    type Target = Outbox;

    fn deref(&self) -> &Outbox {
        &self.0
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Address {}

impl Hash for Address {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.0).hash(state);
    }
}

impl Wake for Outbox {
    fn wake(self: Arc<Self>) {
        self.wake_actor();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_actor();
    }
}

impl Address {
    /// An empty outbox of a connection that starts with `status`. Past `bound` bytes, changes fold.
    pub fn new(opening: Opening, codec: &'static dyn Codec, bound: usize, metrics: &Metrics) -> Self {
        let state = State {
            queue: Queue::default(),
            request: None,
            username: opening.username,
            status: opening.status,
            subscriber: None,
            waker: None,
            line: None,
            told_at: Timestamp::default(),
            // It has not run yet.
            actor_ready: true,
            awake: true,
            counted: 0,
            ended: false,
            completed: false,
            timer_due: false,
            cold: None,
        };
        Self(Arc::new(Outbox {
            connection: opening.connection,
            codec,
            bound,
            waiting_bytes: metrics.engine().outbox_bytes.clone(),
            state: Mutex::new(state),
        }))
    }

    /// What the connection says of itself; none when its session is gone.
    pub fn announce(&self) -> Option<Connection<Self>> {
        let state = self.state.lock();
        (!state.ended).then(|| Connection {
            id: self.connection,
            username: state.username.clone(),
            status: state.status.clone(),
            since: Timestamp::default(),
            dialect: self.dialect(),
            address: self.clone(),
        })
    }

    /// Wakes the session's actor. A session that is woken only to send what waits leaves its actor asleep.
    pub fn actor_waker(&self) -> Waker {
        Waker::from(self.0.clone())
    }

    /// Whether the session is gone.
    pub fn is_ended(&self) -> bool {
        self.state.lock().ended
    }
}
