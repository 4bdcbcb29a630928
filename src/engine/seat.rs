//! A device's place at the desk of its account.

use super::Engine;
use super::reception::Depart;
use crate::outbox::Address;
use crate::presence::general::Exit;
use crate::presence::id::UserId;

/// While it lives, the device is at the desk; dropped, it is gone. That holds from before the login is written down, so
/// that no login is left without an end.
pub struct Seat {
    engine: Engine,
    account: UserId,
    device: Address,
}

impl Seat {
    /// To be made before the desk hears of the device.
    pub(super) fn new(engine: Engine, account: UserId, device: Address) -> Self {
        Self { engine, account, device }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Self { engine, account, device } = self;
        let depart = Depart { account: *account, device: device.clone(), exit: Exit::Lost, answer: None };
        engine.supervisor(*account).deliver(depart);
    }
}
