//! The reference backplane: nodes of one process share a [`MemoryHub`]. Every change is visible at once, and nothing is
//! ever away.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::ready;
use hashbrown::HashMap;
use parking_lot::Mutex;

use super::message::{BucketClock, BucketEvent, RecordChange};
use super::node::{Incarnation, NodeInfo};
use super::record::Record;
use super::view::{RemoteView, StoredUser};
use super::{Backplane, BackplaneError, BackplaneFuture, CallWindow, Listener, NodeCommand, NodeHealth};
use crate::clock::Clock;
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;
use crate::presence::rate::SlidingWindow;
use crate::presence::remote::Remote;
use crate::presence::time::Timestamp;
use crate::redis::slots::Buckets;

/// The state that the nodes share.
#[derive(Clone)]
pub struct MemoryHub {
    state: Arc<Mutex<HubState>>,
    buckets: Buckets,
    clock: Clock,
}

#[derive(Default)]
struct HubState {
    nodes: HashMap<Incarnation, HubNode>,
    last_incarnation: u64,
    clock: BucketClock,
    users: HashMap<UserId, StoredUser>,
    /// The deadlines of the lingering records.
    lingering: HashMap<(Incarnation, UserId), Timestamp>,
    windows: HashMap<(UserId, &'static str), SlidingWindow>,
}

struct HubNode {
    info: NodeInfo,
    view: Arc<RemoteView>,
    listener: Arc<dyn Listener>,
}

impl MemoryHub {
    /// Makes a hub without nodes.
    pub fn new(clock: &Clock) -> Self {
        Self { state: Arc::default(), buckets: Buckets::new(16), clock: clock.clone() }
    }

    /// Adds a node.
    pub fn join(&self, name: &str, listener: Arc<dyn Listener>) -> MemoryBackplane {
        let mut state = self.state.lock();
        state.last_incarnation += 1;
        let incarnation = Incarnation::from(state.last_incarnation);
        let view = Arc::new(RemoteView::new(self.buckets.clone(), listener.clone()));
        view.add_own(incarnation);
        let info = NodeInfo {
            uid: uuid::Uuid::new_v4().to_string(),
            name: name.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.clock.time_of_day().as_secs(),
            ..NodeInfo::default()
        };
        state.nodes.insert(incarnation, HubNode { info, view: view.clone(), listener });
        MemoryBackplane { hub: self.clone(), incarnation, view }
    }

    /// Removes the lingering records with an expired deadline.
    pub fn sweep(&self) {
        let now = self.clock.now();
        let mut state = self.state.lock();
        let due: Vec<_> =
            state.lingering.iter().filter(|&(_, &deadline)| deadline <= now).map(|(&key, _)| key).collect();
        for (incarnation, user) in due {
            self.change(&mut state, incarnation, user, Bytes::new(), Some(Exit::Lost));
        }
    }

    /// Replaces a record and tells every node. Runs under the lock, so that the order is the same for all nodes.
    fn change(&self, state: &mut HubState, incarnation: Incarnation, user: UserId, value: Bytes, exit: Option<Exit>) {
        state.lingering.remove(&(incarnation, user));
        let previous = state.clock;
        state.clock = previous.saturating_add(1).max(self.clock.now().as_micros());
        let clock = state.clock;
        let stored = state.users.entry(user).or_default();
        let known = stored.records.iter().position(|(other, _)| *other == incarnation);
        match known {
            Some(index) if stored.records[index].1 == value => return,
            Some(index) if value.is_empty() => drop(stored.records.remove(index)),
            Some(index) => stored.records[index].1 = value.clone(),
            None if value.is_empty() => return,
            None => stored.records.push((incarnation, value.clone())),
        }
        stored.version = clock;
        stored.last_exit = exit.or(stored.last_exit);
        let event = BucketEvent { previous, clock, changes: vec![RecordChange { user, incarnation, exit, value }] };
        let bucket = self.buckets.of(user);
        state.nodes.values().for_each(|node| node.view.apply(bucket, &event));
    }
}

/// One node of a [`MemoryHub`].
pub struct MemoryBackplane {
    hub: MemoryHub,
    incarnation: Incarnation,
    view: Arc<RemoteView>,
}

impl MemoryBackplane {
    /// Ends the node without a withdrawal, as the other nodes see it once they have noticed.
    pub fn crash(&self) {
        let mut state = self.hub.state.lock();
        state.nodes.remove(&self.incarnation);
        let survivor = state.nodes.values().next().map(|node| node.listener.clone());
        for user in state.users_of(self.incarnation) {
            let Some(record) = state.record(self.incarnation, user).filter(|record| !record.lingering) else {
                continue;
            };
            self.hub.change(&mut state, self.incarnation, user, Bytes::new(), Some(Exit::Lost));
            if let Some(survivor) = &survivor {
                survivor.lost(user, record.open_connections());
            }
        }
    }

    fn put(&self, user: UserId, value: Bytes, exit: Option<Exit>) {
        let mut state = self.hub.state.lock();
        if state.nodes.contains_key(&self.incarnation) {
            self.hub.change(&mut state, self.incarnation, user, value, exit);
        }
    }

    fn answer<T: Send + 'static>(&self, request: impl FnOnce(&mut HubState) -> T) -> BackplaneFuture<'_, T> {
        let mut state = self.hub.state.lock();
        if !state.nodes.contains_key(&self.incarnation) {
            return ready(Err(BackplaneError::Closed)).boxed();
        }
        ready(Ok(request(&mut state))).boxed()
    }

    fn now(&self) -> Timestamp {
        self.hub.clock.now()
    }
}

impl Backplane for MemoryBackplane {
    fn announce(&self, user: UserId, record: Record) {
        if record.is_empty() {
            return self.withdraw(user, Exit::Lost);
        }
        self.put(user, record.encode().into(), None);
    }

    fn withdraw(&self, user: UserId, exit: Exit) {
        self.put(user, Bytes::new(), Some(exit));
    }

    fn linger(&self, user: UserId, span: Duration) {
        let mut state = self.hub.state.lock();
        let Some(record) = state.record(self.incarnation, user) else { return };
        let value = Record { lingering: true, ..record }.encode().into();
        self.hub.change(&mut state, self.incarnation, user, value, None);
        state.lingering.insert((self.incarnation, user), self.now() + span);
    }

    fn watch(&self, user: UserId) {
        let state = self.hub.state.lock();
        if self.view.watch(user) {
            self.view.load(user, state.users.get(&user).cloned().unwrap_or_default());
        }
    }

    fn unwatch(&self, user: UserId) {
        self.view.unwatch(user);
    }

    fn remote(&self, user: UserId) -> Option<Remote> {
        self.view.fetch(user)
    }

    fn query(&self, users: Vec<UserId>) -> BackplaneFuture<'_, HashMap<UserId, Remote>> {
        self.answer(|state| {
            let known = users.into_iter().filter_map(|user| Some((user, self.view.merge(state.users.get(&user)?))));
            known.collect()
        })
    }

    fn send_command(&self, user: UserId, command: NodeCommand) -> BackplaneFuture<'_, ()> {
        self.answer(|state| {
            for node in state.nodes.values() {
                if !node.listener.command_received(user, command.clone()) {
                    log::warn!("a command about a user was dropped: the engine has no room");
                }
            }
        })
    }

    fn take_call(&self, user: UserId, window: CallWindow) -> BackplaneFuture<'_, Result<(), Duration>> {
        let now = self.now();
        self.answer(|state| {
            let fresh = || SlidingWindow::new(window.limit, window.span);
            let taken = state.windows.entry((user, window.name)).or_insert_with(fresh).try_acquire(now);
            taken.map_err(|again| again.since(now))
        })
    }

    fn nodes(&self) -> BackplaneFuture<'_, Vec<NodeInfo>> {
        self.answer(|state| {
            let mut nodes: Vec<NodeInfo> = state.nodes.values().map(|node| node.info.clone()).collect();
            nodes.sort_by(|one, other| one.name.cmp(&other.name));
            nodes
        })
    }

    fn health(&self) -> NodeHealth {
        NodeHealth::Joined
    }

    fn info(&self) -> NodeInfo {
        self.hub.state.lock().nodes.get(&self.incarnation).map(|node| node.info.clone()).unwrap_or_default()
    }

    fn describe(&self, connections: u64, users: u64) {
        if let Some(node) = self.hub.state.lock().nodes.get_mut(&self.incarnation) {
            node.info = NodeInfo { connections, users, ..node.info.clone() };
        }
    }

    fn close(&self, hold: Duration) -> BackplaneFuture<'_, ()> {
        let mut state = self.hub.state.lock();
        if state.nodes.remove(&self.incarnation).is_some() {
            let deadline = self.now() + hold;
            for user in state.users_of(self.incarnation) {
                state.lingering.entry((self.incarnation, user)).or_insert(deadline);
            }
        }
        ready(Ok(())).boxed()
    }
}

impl HubState {
    fn record(&self, incarnation: Incarnation, user: UserId) -> Option<Record> {
        let stored = self.users.get(&user)?;
        let (_, value) = stored.records.iter().find(|(other, _)| *other == incarnation)?;
        Record::decode(value).ok()
    }

    /// Returns the users with a record under an incarnation.
    fn users_of(&self, incarnation: Incarnation) -> Vec<UserId> {
        let has = |stored: &StoredUser| stored.records.iter().any(|(other, _)| *other == incarnation);
        self.users.iter().filter(|(_, stored)| has(stored)).map(|(&user, _)| user).collect()
    }
}
