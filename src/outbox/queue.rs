//! What waits for the client: frames in order, then folded changes.

use std::collections::VecDeque;
use std::sync::Arc;

use super::alias::ClientAlias;
use super::codec::Codec;
use super::fold::{FoldedChange, FoldedChanges};
use super::frame::Frame;
use crate::presence::diff::{Diff, Snapshot};
use crate::presence::id::UserId;

/// Frames that go out as they are, and, once there were too many, one folded change per user.
#[derive(Default)]
pub(super) struct OutboxQueue {
    /// The first frame is stored inline: a client that keeps up costs no allocation, and an idle one owns no heap memory.
    first: Option<Frame>,
    /// The frames after the first; never present and empty.
    #[expect(clippy::box_collection, reason = "usually absent, and every delivery loads this struct into the cache")]
    rest: Option<Box<VecDeque<Frame>>>,
    /// The size of the frames on the wire.
    bytes: usize,
    /// Created when the first change folds: an idle outbox owns no heap memory. Goes out after the frames.
    folded: Option<Box<FoldedChanges>>,
}

impl OutboxQueue {
    /// Returns whether the next change has to fold: the frames exceed the bound, or earlier changes have folded already and
    /// must not be overtaken.
    pub(super) fn must_fold(&self, bound: usize) -> bool {
        self.bytes > bound || self.folded.is_some()
    }

    /// Queues one frame.
    pub(super) fn push(&mut self, frame: Frame) {
        self.bytes += frame.size();
        if self.first.is_none() && self.rest.is_none() {
            self.first = Some(frame);
        } else {
            self.rest.get_or_insert_default().push_back(frame);
        }
    }

    /// Queues frames.
    pub(super) fn push_all(&mut self, frames: &[Frame]) {
        frames.iter().for_each(|frame| self.push(frame.clone()));
    }

    fn pop(&mut self) -> Option<Frame> {
        let frame = self.first.take().or_else(|| self.rest.as_mut()?.pop_front())?;
        self.bytes -= frame.size();
        Some(frame)
    }

    /// Folds a diff into the waiting change of its user.
    pub(super) fn fold(&mut self, diff: &Diff) {
        self.folded.get_or_insert_default().add(diff);
    }

    /// Replaces the waiting presence of the user with a later one.
    pub(super) fn fold_presence(&mut self, alias: &ClientAlias, after: &Arc<Snapshot>) {
        self.folded.get_or_insert_default().replace(alias, after);
    }

    /// Turns the folded change of one user into frames at the end of the queue.
    pub(super) fn unfold(&mut self, user: UserId, codec: &dyn Codec) {
        if let Some(diff) = self.forget(user) {
            self.push_diff(&diff, codec);
        }
    }

    /// Drops the folded change of one user and returns its diff.
    pub(super) fn forget(&mut self, user: UserId) -> Option<Diff> {
        self.folded.as_mut()?.forget(user)
    }

    /// Sends frames, then folded changes as frames, until `budget` bytes are out or nothing waits.
    pub(super) fn drain(&mut self, budget: usize, codec: &dyn Codec, send: &mut dyn FnMut(Frame)) {
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
    }

    /// Queues the folded change that has waited longest; returns false if there is none.
    fn refill(&mut self, codec: &dyn Codec) -> bool {
        let Some(folded) = &mut self.folded else { return false };
        let Some(FoldedChange { presence, diff }) = folded.pop() else {
            self.folded = None;
            return false;
        };
        if let (Some((alias, after)), Some(publisher)) = (presence, codec.publisher()) {
            self.push(publisher.publication(&alias, &publisher.body(&after)));
        }
        if let Some(diff) = diff {
            self.push_diff(&diff, codec);
        }
        true
    }

    fn push_diff(&mut self, diff: &Diff, codec: &dyn Codec) {
        if !diff.is_empty() {
            self.push_all(&codec.diff(diff));
        }
    }

    /// Returns the size of the waiting frames on the wire.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.first.is_none() && self.rest.is_none() && self.folded.is_none()
    }
}
