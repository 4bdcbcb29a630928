//! Users, their connections and what those hear, for the tests of `engine/` and `members/`.

use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use uuid::Uuid;

use crate::clock::Clock;
use crate::config::EngineConfig;
use crate::engine::{ClusterHandle, ConnectionHandle, Engine, LastSeenRecorder, Ports};
use crate::metrics::Metrics;
use crate::outbox::{Address, Codec, Drained, Encoding, Frame, Frames, Opening, OutboxReceiver, RequestTag};
use crate::presence::diff::{Diff, Presence, Snapshot};
use crate::presence::id::{ConnectionId, UserId, Username};
use crate::presence::status::StatusText;

/// How long a step may take before a test fails. Generous, because a passing test never reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A codec that writes short words: `+bob:away`, `-bob:away`, `reply[bob:away]`. A reply also has the state that a user
/// gave: `reply["dnd"]`.
pub(crate) struct Words;

pub(crate) fn word(presence: &Presence) -> String {
    let name = presence.username.as_ref().map_or("?", Username::as_str);
    format!("{name}:{}", presence.status.as_str())
}

impl Codec for Words {
    fn encoding(&self) -> Encoding {
        Encoding::NakamaJson
    }

    fn diff(&self, diff: &Diff) -> Frames {
        let leaves = diff.leaves.iter().map(|leave| format!("-{}", word(leave)));
        let joins = diff.joins.iter().map(|join| format!("+{}", word(join)));
        vec![Frame::text(&leaves.chain(joins).collect::<Vec<_>>().join(" "))]
    }

    fn follow_reply(&self, _: &RequestTag, snapshots: &[Snapshot]) -> Frames {
        let state =
            |snapshot: &Snapshot| snapshot.last_seen.state.as_ref().map(|state| format!("\"{}\"", state.as_str()));
        let words =
            |snapshot: &Snapshot| snapshot.presences.iter().map(word).chain(state(snapshot)).collect::<Vec<_>>();
        let words: Vec<String> = snapshots.iter().flat_map(words).collect();
        vec![Frame::text(&format!("reply[{}]", words.join(" ")))]
    }
}

pub(crate) struct World {
    pub(crate) engine: Engine,
    pub(crate) metrics: Metrics,
    pub(crate) connections: std::cell::Cell<u128>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(EngineConfig { shards: 2, max_users_per_shard: 1000 })
    }

    pub(crate) fn with(config: EngineConfig) -> Self {
        Self::among(None, config)
    }

    pub(crate) fn among(nodes: Option<ClusterHandle>, config: EngineConfig) -> Self {
        let (metrics, clock) = (Metrics::new(), Clock::system());
        let ports = Ports { nodes, ..Ports::open(LastSeenRecorder::new(None, Duration::from_secs(27), &clock)) };
        let engine = Engine::start(&config, ports, &clock, &metrics);
        Self { engine, metrics, connections: 1.into() }
    }

    /// Connects a client of `name` that shows `status`.
    pub(crate) async fn connects(&self, name: &str, status: Option<&str>) -> Client {
        let connection = ConnectionId::from_uuid(Uuid::from_u128(self.connections.get()));
        self.connections.set(self.connections.get() + 1);
        let username = Some(Username::new(name).unwrap());
        let opening = Opening { connection, username, status: status.map(text) };
        let outbox = OutboxReceiver::new(opening, &Words, 1 << 20, &self.metrics);
        let (alarm, wakes) = Alarm::set();
        let connection_handle = self.engine.attach(UserId::from_name(name), outbox.address().clone()).await.unwrap();
        Client {
            engine: self.engine.clone(),
            connection_handle: Some(connection_handle),
            address: outbox.address().clone(),
            outbox,
            alarm,
            wakes,
            requests: 0,
        }
    }

    /// Waits until the value that `of` reads is `expected`.
    pub(crate) async fn until(&self, expected: i64, of: impl Fn(&Metrics) -> i64) {
        let arrived = async {
            while of(&self.metrics) != expected {
                tokio::task::yield_now().await;
            }
        };
        let arrived = tokio::time::timeout(PATIENCE, arrived).await;
        assert!(arrived.is_ok(), "{} instead of {expected}", of(&self.metrics));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.engine.stop();
    }
}

pub(crate) fn text(status: &str) -> StatusText {
    StatusText::new(status).unwrap()
}

/// Reports the wakes of a client.
pub(crate) struct Alarm(UnboundedSender<()>);

impl Alarm {
    pub(crate) fn set() -> (Waker, UnboundedReceiver<()>) {
        let (wake, wakes) = unbounded_channel();
        (Waker::from(Arc::new(Self(wake))), wakes)
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        // At the end of a test the receiver is gone.
        let _nobody = self.0.send(());
    }
}

pub(crate) struct Client {
    pub(crate) engine: Engine,
    pub(crate) connection_handle: Option<ConnectionHandle>,
    pub(crate) address: Address,
    pub(crate) outbox: OutboxReceiver,
    pub(crate) alarm: Waker,
    pub(crate) wakes: UnboundedReceiver<()>,
    pub(crate) requests: u32,
}

impl Client {
    pub(crate) fn request(&mut self) -> u32 {
        self.requests += 1;
        self.requests
    }

    /// Follows like a client that gets whole presences.
    pub(crate) fn follows_with_record(&mut self, name: &str) {
        let (id, user) = (self.request(), UserId::from_name(name));
        self.outbox.await_follow(id, RequestTag::default(), &[user]);
        self.engine.subscribe(UserId::random(), user, &self.address, id);
    }

    pub(crate) fn follows(&mut self, names: &[&str]) {
        let id = self.request();
        let users: Vec<UserId> = names.iter().map(|name| UserId::from_name(name)).collect();
        self.outbox.await_follow(id, RequestTag::default(), &users);
        self.engine.follow(UserId::random(), &users, &self.address, id).unwrap();
    }

    pub(crate) fn unfollows(&mut self, name: &str) {
        let id = self.request();
        let users = [UserId::from_name(name)];
        self.outbox.await_unfollow(id, vec![Frame::text("done")], 1);
        self.engine.unfollow(&users, &self.address, id).unwrap();
    }

    pub(crate) fn sets(&mut self, status: Option<&str>) {
        let id = self.request();
        self.outbox.await_status(id, vec![Frame::text("done")]);
        self.connection_handle.as_ref().unwrap().set_status(status.map(text), id).unwrap();
    }

    pub(crate) fn disconnects(mut self) {
        self.connection_handle = None;
    }

    /// Returns the next frame for this client.
    pub(crate) async fn hears(&mut self) -> String {
        let next = async {
            loop {
                let mut next = None;
                let drained = self.outbox.poll_drain(&self.alarm, 1, |frame| next = Some(frame));
                if let Some(text) = next.as_ref().and_then(Frame::as_text) {
                    return text.to_owned();
                }
                if drained.is_pending() {
                    self.wakes.recv().await.unwrap();
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("no frame in time")
    }

    pub(crate) async fn drains_until(&mut self, wanted: impl Fn(&Drained) -> bool) -> Drained {
        let next = async {
            loop {
                match self.outbox.poll_drain(&self.alarm, usize::MAX, drop) {
                    Poll::Ready(drained) if wanted(&drained) => return drained,
                    Poll::Ready(_) => {}
                    Poll::Pending => self.wakes.recv().await.unwrap(),
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.expect("the condition does not hold in time")
    }
}
