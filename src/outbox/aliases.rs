//! The client's own names for the users that it follows, and what else only clients of publishing dialects have.

use bytestring::ByteString;
use hashbrown::HashMap;

use super::batch::ReplyBatch;
use super::codec::Publisher;
use super::delivery::{DeliveryMode, DeliveryOutcome};
use super::notification::Notification;
use super::shared::OutboxWriter;
use crate::presence::dialect::Dialect;
use crate::presence::id::UserId;
use crate::presence::member_name::MemberName;

/// The client's own name for a user that it follows, in dialects that have such names: Centrifugo's channels, Tencent's
/// userIDs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientAlias(pub ByteString);

impl ClientAlias {
    /// Returns the alias that a member uses for this user.
    pub fn of(name: &MemberName) -> Self {
        Self(name.as_str().into())
    }
}

/// The state of a client that receives whole presences.
#[derive(Default)]
pub(super) struct PublicationState {
    /// The users that the client receives publications of. Bounded by what the session follows.
    pub aliases: HashMap<UserId, ClientAlias>,
    /// The part of the client's token that other users may read: JSON.
    pub info: Option<ByteString>,
    /// Replies that leave as one.
    pub batch: Option<ReplyBatch>,
}

impl OutboxWriter {
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
