//! The delivery of one change: to the queue, into a reply that waits, or to the socket of a client at rest.

use std::time::Duration;

use super::codec::Publisher;
use super::delivery::{DeliveryMode, DeliveryOutcome};
use super::frame::Frame;
use super::notification::Notification;
use super::socket::DirectSocket;
use super::socket_writer::SocketWriter;
use super::state::OutboxState;
use crate::presence::dialect::Dialect;

/// A client that received a change less than this ago may receive more soon: its changes wait for one write.
const COALESCING_WINDOW: Duration = Duration::from_millis(4);

/// The content of an outbox's lock.
pub(super) type OutboxWriter = SocketWriter<OutboxState, DirectSocket>;

impl OutboxWriter {
    /// Writes a change to the socket, or queues it.
    pub(super) fn deliver(&mut self, frames: &[Frame], mode: DeliveryMode) -> DeliveryOutcome {
        let now = mode.at();
        let is_quiet = now.since(self.backlog.delivered_at) >= COALESCING_WINDOW;
        self.backlog.delivered_at = now;
        if let (DeliveryMode::Direct(_), [frame], true) = (mode, frames, is_quiet)
            && let Some(direct_write) = self.direct_write()
        {
            return if direct_write.send(frame) { DeliveryOutcome::Sent } else { DeliveryOutcome::Queued };
        }
        self.backlog.queue.push_all(frames);
        DeliveryOutcome::Queued
    }

    /// Publishes the user's presence after a change. A user without an alias is not followed yet, and the snapshot in the
    /// reply will contain the change; or it is the client's own user, and its changes reach the client's address in any case.
    pub(super) fn publish(
        &mut self,
        notification: &Notification,
        dialect: Dialect,
        publisher: &dyn Publisher,
        bound: usize,
        mode: DeliveryMode,
    ) -> DeliveryOutcome {
        let state = &mut self.backlog;
        if state.pending_reply.as_mut().is_some_and(|reply| !reply.replace(notification.after())) {
            return DeliveryOutcome::Queued;
        }
        let Some(publications) = &mut state.publications else { return DeliveryOutcome::Irrelevant };
        let user = notification.diff().user;
        let Some(alias) = publications.aliases.get(&user) else { return DeliveryOutcome::Irrelevant };
        if !notification.is_visible(publisher) {
            return DeliveryOutcome::Irrelevant;
        }
        if publications.batch.is_none() && state.queue.must_fold(bound) {
            state.queue.fold_presence(alias, notification.after());
            return DeliveryOutcome::Folded;
        }
        let publication = publisher.publication(alias, notification.body(dialect, publisher));
        if let Some(batch) = &mut publications.batch {
            batch.replace_change(user, publication);
            return DeliveryOutcome::Queued;
        }
        self.deliver(&[publication], mode)
    }
}
