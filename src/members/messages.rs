//! Every message to a [`MemberShard`](super::shard::MemberShard), on one page.
//!
//! [`Mailbox::offer`](crate::engine::Mailbox::offer) refuses a message when the mailbox is full; its tickets and answer
//! channels are dropped, which tells the waiting caller. Messages marked *never refused* go by
//! [`Mailbox::deliver`](crate::engine::Mailbox::deliver): they follow from a write or from the end of a connection.

use tokio::sync::oneshot;

use crate::outbox::{Address, Ticket};
use crate::presence::calls::{Call, TooOften};
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;
use crate::presence::member_name::MemberName;
use crate::presence::member_record::MemberRecord;
use crate::store::StoreError;

/// Gets the record of a member once its login is written.
pub type LoginAnswer = oneshot::Sender<Result<MemberRecord, StoreError>>;

/// A message about one member, to the shard that owns it.
pub enum ToMemberShard {
    /// Counts a call of a member.
    CountCall { member: UserId, call: Call, answer: oneshot::Sender<Result<(), TooOften>> },
    /// Registers a device, then writes its login.
    LogIn { member: UserId, device: Address, answer: LoginAnswer },
    /// A login has been written, or could not be written. Never refused.
    LoginWritten { member: UserId, device: Address, written: Result<MemberRecord, StoreError>, answer: LoginAnswer },
    /// Activates a device and passes its tickets on. Never refused.
    Activate(Box<ActivateDevice>),
    /// Takes changed subscriptions and passes on the tickets of the device that asked. Never refused: the change is
    /// written. The answer comes when the devices follow the dropped users no longer.
    SetSubscriptions { member: UserId, record: MemberRecord, tickets: Vec<Ticket>, answer: Option<oneshot::Sender<()>> },
    /// Asks users again that did not answer a device.
    RetryFollows { member: UserId, tickets: Vec<Ticket> },
    /// Takes changed friends, which the member follows without a subscription.
    SetFriends { member: UserId, friends: Vec<MemberName> },
    /// Removes a device. Never refused.
    RemoveDevice(RemoveDevice),
    /// Asks for the members that have devices here, each with the revision of its subscriptions. With `member`, only
    /// that one.
    Revisions { member: Option<UserId>, answer: oneshot::Sender<Vec<(UserId, u64)>> },
}

/// See [`ToMemberShard::Activate`].
pub struct ActivateDevice {
    pub member: UserId,
    pub device: Address,
    pub record: MemberRecord,
    pub friends: Vec<MemberName>,
    pub tickets: Vec<Ticket>,
}

/// See [`ToMemberShard::RemoveDevice`].
pub struct RemoveDevice {
    pub member: UserId,
    pub device: Address,
    pub exit: Exit,
    /// Notified when the end of the login is written.
    pub answer: Option<oneshot::Sender<()>>,
}
