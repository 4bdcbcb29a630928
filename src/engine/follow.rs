//! Follows and unfollows: what [`Engine`] offers to sessions and members.

use tokio::sync::{mpsc, oneshot};

use super::last_seen::LastSeenRecorder;
use super::mailbox::Mailbox;
use super::messages::{IfAbsent, SharedMessage, ToShard, UserMessage};
use super::{Engine, EngineError};
use crate::outbox::{Address, Ticket};
use crate::presence::id::UserId;
use crate::presence::subscriptions::DeliveredStatus;

impl Engine {
    /// Follows users. The outbox gets each user's snapshot, then every later diff. `request` is the number under which
    /// it waits for the snapshots. Privacy lists may hide users from `asker`.
    pub fn follow(&self, asker: UserId, users: &[UserId], address: &Address, request: u32) -> Result<(), EngineError> {
        let ticket = |&user| Ticket::new(address.clone(), request, user).asked_by(asker, None);
        self.follow_tickets(users.iter().map(ticket).collect())
    }

    /// Follows users on behalf of tickets, each of which carries its asker and its request. A refused ticket is
    /// dropped, which tells its outbox.
    pub fn follow_tickets(&self, tickets: Vec<Ticket>) -> Result<(), EngineError> {
        let tickets = self.by_shard(tickets.into_iter().map(|ticket| (ticket.user(), ticket)));
        self.offer_each(tickets, ToShard::Follow)
    }

    /// Follows one user for a client that gets whole presences, including the user's last-seen record. Reads the record
    /// first. Until then the user's actor knows nothing of the follow.
    pub fn subscribe(&self, asker: UserId, user: UserId, address: &Address, request: u32) {
        let ticket = Ticket::new(address.clone(), request, user).asked_by(asker, None);
        subscribe(self.recorder().clone(), self.supervisor(user).clone(), ticket);
    }

    /// Ends follows. The acknowledgement of each user goes to the outbox under `request`.
    pub fn unfollow(&self, users: &[UserId], address: &Address, request: u32) -> Result<(), EngineError> {
        let tickets = self.by_shard(users.iter().map(|&user| (user, Ticket::new(address.clone(), request, user))));
        self.offer_each(tickets, ToShard::Unfollow)
    }

    /// Ends follows without an acknowledgement. Never refused.
    pub fn unfollow_silently(&self, users: &[UserId], address: &Address) {
        self.deliver_each(users, IfAbsent::Drop, &SharedMessage::UnfollowSilently(address.clone()));
    }

    /// Follows users without an answer: the address gets later changes and no snapshot. Never refused, but a full shard
    /// starts no actors for absent users.
    pub fn follow_silently(&self, users: &[UserId], address: &Address, follower: UserId) {
        let message = SharedMessage::FollowSilently { address: address.clone(), follower };
        self.deliver_each(users, IfAbsent::StartForFollower, &message);
    }

    /// Ends follows. Each user reports the status that it delivered last. The channel closes after the last report.
    /// Never refused.
    pub fn unfollow_and_report(
        &self,
        users: &[UserId],
        address: &Address,
        answer: &mpsc::UnboundedSender<(UserId, DeliveredStatus)>,
    ) {
        let message = SharedMessage::UnfollowAndReport(address.clone(), answer.clone());
        self.deliver_each(users, IfAbsent::Drop, &message);
    }

    /// Hides `owner` from all connections of `other`, or shows it to them.
    pub async fn set_hidden(&self, owner: UserId, other: UserId, hide: bool) -> Result<(), EngineError> {
        let (answer, addresses) = oneshot::channel();
        self.offer(other, IfAbsent::Drop, UserMessage::Addresses(answer))?;
        // An absent user has no connections and does not answer.
        let Ok(addresses) = addresses.await else { return Ok(()) };
        self.offer(owner, IfAbsent::Drop, UserMessage::SetHidden { addresses, hide })
    }

    fn deliver_each(&self, users: &[UserId], if_absent: IfAbsent, message: &SharedMessage) {
        for (supervisor, users) in self.by_shard(users.iter().map(|&user| (user, user))) {
            supervisor.deliver(ToShard::ToUsers { users, if_absent, message: message.clone() });
        }
    }

    /// Offers one message to each shard. A refused message is dropped with its tickets, which tells their outboxes.
    fn offer_each<T>(
        &self,
        items: Vec<(&Mailbox<ToShard>, Vec<T>)>,
        message: impl Fn(Vec<T>) -> ToShard,
    ) -> Result<(), EngineError> {
        let mut result = Ok(());
        for (supervisor, items) in items {
            result = result.and(supervisor.offer(message(items)));
        }
        result
    }
}

/// Reads the stored record of the ticket's user, then follows the user.
pub(super) fn subscribe(recorder: LastSeenRecorder, supervisor: Mailbox<ToShard>, ticket: Ticket) {
    actix::spawn(async move {
        let record = recorder.record(ticket.user()).await;
        // A refused ticket is dropped, which tells its outbox.
        let _refused = supervisor.offer(ToShard::Subscribe { ticket, record });
    });
}
