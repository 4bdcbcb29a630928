//! Passes connection events to the webhooks.

use std::sync::Arc;

use crate::api::platform::platform_in;
use crate::clock::Clock;
use crate::engine::RemoteConnectionListener;
use crate::presence::id::UserId;
use crate::presence::remote::RemoteConnection;
use crate::session::connection_listener::{ClientInfo, ConnectionChange, ConnectionEvent, ConnectionListener};
use crate::webhook::{Loss, StateChange, Transition, Webhook};

/// Maximum length of a platform's name, in bytes. Longer ones are left out.
const MAX_PLATFORM_BYTES: usize = 64;

/// Offers every connection event to the webhooks.
pub struct WebhookBridge {
    webhook: Webhook,
    clock: Clock,
}

impl WebhookBridge {
    /// Returns `None` when there are no receivers, so that sessions need not report events.
    pub fn new(webhook: &Webhook, clock: &Clock) -> Option<Arc<Self>> {
        webhook.is_enabled().then(|| Arc::new(Self { webhook: webhook.clone(), clock: clock.clone() }))
    }

    fn offer_remote(&self, user: UserId, connection: RemoteConnection, change: ConnectionChange) {
        let RemoteConnection { dialect, username, info, .. } = connection;
        // A dialect that only a later version knows: nodes of that version report the event.
        let Some(dialect) = dialect else { return };
        let client = Arc::new(ClientInfo::new(dialect, user, username, info, None));
        self.handle(ConnectionEvent { user, client, change, at: self.clock.time_of_day() });
    }
}

impl RemoteConnectionListener for WebhookBridge {
    fn lost(&self, user: UserId, connection: RemoteConnection) {
        self.offer_remote(user, connection, ConnectionChange::Closed);
    }

    fn returned(&self, user: UserId, connection: RemoteConnection) {
        self.offer_remote(user, connection, ConnectionChange::Connected);
    }
}

impl ConnectionListener for WebhookBridge {
    fn handle(&self, ConnectionEvent { user, client, change, at }: ConnectionEvent) {
        let platform =
            client.info.as_deref().and_then(platform_in).filter(|platform| platform.len() <= MAX_PLATFORM_BYTES);
        self.webhook.offer(StateChange {
            user,
            native_id: client.native_id.as_str().into(),
            transition: transition(change),
            platform: platform.unwrap_or_default().into(),
            client_ip: client.ip,
            at,
        });
    }
}

fn transition(change: ConnectionChange) -> Transition {
    match change {
        ConnectionChange::Connected => Transition::Login,
        ConnectionChange::LoggedOut => Transition::Logout,
        ConnectionChange::Closed => Transition::Disconnect(Loss::LinkClosed),
        ConnectionChange::TimedOut => Transition::Disconnect(Loss::TimedOut),
    }
}
