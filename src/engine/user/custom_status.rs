//! The status that a user gives itself. All its Tencent connections show it.

use actix::Context;

use super::UserActor;
use crate::outbox::{Address, Ticket};
use crate::presence::dialect::Dialect;
use crate::presence::status::StatusText;
use crate::presence::user::Event;

impl UserActor {
    /// Returns the addresses of the user's Tencent connections.
    pub(super) fn tencent_addresses(&self) -> Vec<Address> {
        self.presence.addresses().filter(|address| address.dialect() == Dialect::Tencent).cloned().collect()
    }

    /// Gives the custom status to a new Tencent connection.
    pub(super) fn share_custom_status(&self, address: &Address) {
        if address.dialect() == Dialect::Tencent
            && let Some(custom) = self.presence.snapshot().own.custom
        {
            address.set_status(Some(custom));
        }
    }

    /// Sets the custom status on all Tencent connections of this node. `None` removes it.
    pub(super) fn set_custom_status(&mut self, text: Option<StatusText>, ticket: Ticket, context: &mut Context<Self>) {
        let addresses = self.tencent_addresses();
        let shown = text.clone().unwrap_or_else(StatusText::empty);
        addresses.iter().for_each(|address| address.set_status(Some(shown.clone())));
        // The acknowledgement precedes the session's own event.
        ticket.acknowledge();
        let connections = addresses.iter().map(|address| address.connection()).collect();
        self.apply(Event::CustomStatusSet { connections, text }, context);
    }
}
