//! The registration of a device, as a drop guard.

use super::messages::{RemoveDevice, ToMemberShard};
use super::shard::MemberShards;
use crate::outbox::Address;
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;

/// Keeps a device registered; dropping it removes the device. It exists from before the login is written, so every
/// login gets an end.
pub struct DeviceGuard {
    shards: MemberShards,
    member: UserId,
    device: Address,
}

impl DeviceGuard {
    /// Guards a device. Make it before the shard registers the device.
    pub(super) fn new(shards: MemberShards, member: UserId, device: Address) -> Self {
        Self { shards, member, device }
    }
}

impl Drop for DeviceGuard {
    fn drop(&mut self) {
        let Self { shards, member, device } = self;
        let remove = RemoveDevice { member: *member, device: device.clone(), exit: Exit::Lost, answer: None };
        shards.of(*member).deliver(ToMemberShard::RemoveDevice(remove));
    }
}
