//! What waits for the client: frames in order, then folded changes.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashMap;

use super::codec::{ClientAlias, Codec};
use super::frame::Frame;
use crate::presence::diff::{Diff, Snapshot};
use crate::presence::id::UserId;

/// Frames to send as they are, and, once there were too many, one diff per user that changed since.
#[derive(Default)]
pub(super) struct Queue {
    /// The first frame lives here: a client that keeps up costs no allocation, and an idle one owns nothing.
    first: Option<Frame>,
    /// The frames after it; never there and empty.
    #[expect(
        clippy::box_collection,
        reason = "mostly there is none, and every delivery fetches what is here from memory"
    )]
    rest: Option<Box<VecDeque<Frame>>>,
    /// What the frames take on the wire.
    bytes: usize,
    /// Made when the first change folds: an idle outbox owns nothing. Goes out after `frames`.
    folded: Option<Box<Folded>>,
}

/// Folded changes, the user that waits longest first, so that none starves.
#[derive(Default)]
struct Folded {
    diffs: HashMap<UserId, Diff>,
    /// The latest presences, for a client that is told those.
    wholes: HashMap<UserId, (ClientAlias, Arc<Snapshot>)>,
    /// Has every user of these; one that is not there any more is passed over.
    order: VecDeque<UserId>,
}

impl Queue {
    /// Whether the next change has to fold: the bound is passed, or changes fold already and must not be overtaken.
    pub(super) fn folds(&self, bound: usize) -> bool {
        self.bytes > bound || self.folded.is_some()
    }

    /// Queues frames.
    pub(super) fn push_all(&mut self, frames: &[Frame]) {
        for frame in frames {
            self.bytes += frame.size();
            if self.first.is_none() && self.rest.is_none() {
                self.first = Some(frame.clone());
            } else {
                self.rest.get_or_insert_default().push_back(frame.clone());
            }
        }
    }

    fn pop(&mut self) -> Option<Frame> {
        let frame = self.first.take().or_else(|| self.rest.as_mut()?.pop_front())?;
        self.bytes -= frame.size();
        Some(frame)
    }

    /// Folds a change into what waits of its user.
    pub(super) fn fold(&mut self, diff: &Diff) {
        let folded = self.folded.get_or_insert_default();
        match folded.diffs.get_mut(&diff.user) {
            Some(earlier) => earlier.fold(diff),
            None => {
                folded.diffs.insert(diff.user, diff.clone());
                folded.order.push_back(diff.user);
            }
        }
    }

    /// Has a presence wait in place of an earlier one of its user.
    pub(super) fn fold_whole(&mut self, alias: &ClientAlias, after: &Arc<Snapshot>) {
        let folded = self.folded.get_or_insert_default();
        if folded.wholes.insert(after.user, (alias.clone(), after.clone())).is_none() {
            folded.order.push_back(after.user);
        }
    }

    /// Queues what waits folded of one user.
    pub(super) fn unfold(&mut self, user: UserId, codec: &dyn Codec) {
        if let Some(diff) = self.forget(user) {
            self.push_diff(&diff, codec);
        }
    }

    /// Drops what waits folded of one user.
    pub(super) fn forget(&mut self, user: UserId) -> Option<Diff> {
        let folded = self.folded.as_mut()?;
        folded.wholes.remove(&user);
        folded.diffs.remove(&user)
    }

    /// Hands out frames, then folded changes as frames, until `budget` bytes are out; returns the bytes.
    pub(super) fn drain(&mut self, budget: usize, codec: &dyn Codec, send: &mut dyn FnMut(Frame)) -> usize {
        let mut sent = 0;
        while sent < budget {
            if let Some(frame) = self.pop() {
                sent += frame.size();
                send(frame);
            } else if !self.refill(codec) {
                break;
            }
        }
        if self.rest.as_ref().is_some_and(|rest| rest.is_empty()) {
            self.rest = None;
        }
        sent
    }

    /// Queues the change that has waited longest; false when none waits.
    fn refill(&mut self, codec: &dyn Codec) -> bool {
        let Some(folded) = &mut self.folded else { return false };
        let Some(user) = folded.order.pop_front() else {
            self.folded = None;
            return false;
        };
        let whole = folded.wholes.remove(&user);
        if let (Some((alias, after)), Some(publisher)) = (whole, codec.publisher()) {
            self.push_all(&[publisher.publication(&alias, &publisher.body(&after))]);
        }
        self.unfold(user, codec);
        true
    }

    fn push_diff(&mut self, diff: &Diff, codec: &dyn Codec) {
        if !diff.is_empty() {
            self.push_all(&codec.diff(diff));
        }
    }

    /// What the frames that wait take on the wire.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.rest.is_none() && self.folded.is_none()
    }
}
