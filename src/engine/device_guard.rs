//! A device's place at the desk of its account.

use super::Engine;
use super::member_handlers::Depart;
use crate::outbox::Address;
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;

/// While it lives, the device is at the desk; dropped, it is gone. That holds from before the login is written down, so
/// that no login is left without an end.
pub struct DeviceGuard {
    engine: Engine,
    member: UserId,
    device: Address,
}

impl DeviceGuard {
    /// To be made before the desk hears of the device.
    pub(super) fn new(engine: Engine, member: UserId, device: Address) -> Self {
        Self { engine, member, device }
    }
}

impl Drop for DeviceGuard {
    fn drop(&mut self) {
        let Self { engine, member, device } = self;
        let depart = Depart { member: *member, device: device.clone(), exit: Exit::Lost, answer: None };
        engine.supervisor(*member).deliver(depart);
    }
}
