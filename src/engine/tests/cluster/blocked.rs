//! A backplane that a test can block.

use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::cluster::node::NodeInfo;
use crate::cluster::record::Record;
use crate::cluster::{BackplaneError, BackplaneFuture, CallWindow, NodeCommand, NodeHealth};
use crate::presence::general_status::Exit;
use crate::presence::remote::Remote;

/// Knows nothing of other nodes and sends them nothing while `knows` is false.
pub struct BlockedBackplane {
    pub inner: Arc<MemoryBackplane>,
    pub knows: AtomicBool,
    /// It was asked for a presence while it was blocked.
    pub asked: AtomicBool,
}

impl Backplane for BlockedBackplane {
    fn announce(&self, user: UserId, record: Record) {
        self.inner.announce(user, record);
    }

    fn withdraw(&self, user: UserId, exit: Exit) {
        self.inner.withdraw(user, exit);
    }

    fn linger(&self, user: UserId, span: Duration) {
        self.inner.linger(user, span);
    }

    fn watch(&self, user: UserId) {
        self.inner.watch(user);
    }

    fn unwatch(&self, user: UserId) {
        self.inner.unwatch(user);
    }

    fn remote(&self, user: UserId) -> Option<Remote> {
        if self.knows.load(Ordering::Relaxed) {
            return self.inner.remote(user);
        }
        self.asked.store(true, Ordering::Relaxed);
        None
    }

    fn query(&self, users: Vec<UserId>) -> BackplaneFuture<'_, hashbrown::HashMap<UserId, Remote>> {
        self.inner.query(users)
    }

    fn send_command(&self, user: UserId, command: NodeCommand) -> BackplaneFuture<'_, ()> {
        match self.knows.load(Ordering::Relaxed) {
            true => self.inner.send_command(user, command),
            false => Box::pin(async { Err(BackplaneError::Busy) }),
        }
    }

    fn take_call(&self, user: UserId, window: CallWindow) -> BackplaneFuture<'_, Result<(), Duration>> {
        self.inner.take_call(user, window)
    }

    fn nodes(&self) -> BackplaneFuture<'_, Vec<NodeInfo>> {
        self.inner.nodes()
    }

    fn health(&self) -> NodeHealth {
        self.inner.health()
    }

    fn info(&self) -> NodeInfo {
        self.inner.info()
    }

    fn describe(&self, connections: u64, users: u64) {
        self.inner.describe(connections, users);
    }

    fn close(&self, hold: Duration) -> BackplaneFuture<'_, ()> {
        self.inner.close(hold)
    }
}
