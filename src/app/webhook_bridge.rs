//! Tells webhook receivers who comes and goes.

use std::sync::Arc;

use serde::Deserialize;

use crate::clock::Clock;
use crate::engine::Census;
use crate::presence::id::UserId;
use crate::presence::remote::RemoteConnection;
use crate::session::connection_listener::{ClientInfo, ConnectionChange, ConnectionEvent, ConnectionListener};
use crate::webhook::{Loss, StateChange, Transition, Webhook};

/// Bytes of a platform's name; a longer one is not told.
const MAX_PLATFORM_BYTES: usize = 64;

/// Offers every passage to the webhooks.
pub struct WebhookBridge {
    webhook: Webhook,
    clock: Clock,
}

/// What a client says of itself, as far as receivers are told.
#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    platform: String,
}

impl WebhookBridge {
    /// None: there are no receivers, so sessions need not tell.
    pub fn of(webhook: &Webhook, clock: &Clock) -> Option<Arc<Self>> {
        webhook.is_on().then(|| Arc::new(Self { webhook: webhook.clone(), clock: clock.clone() }))
    }

    fn tell(&self, user: UserId, connection: RemoteConnection, change: ConnectionChange) {
        let RemoteConnection { dialect, username, info, .. } = connection;
        // Of a later version: that will tell of it.
        let Some(dialect) = dialect else { return };
        let client = Arc::new(ClientInfo::new(dialect, user, username, info, None));
        self.handle(ConnectionEvent { user, client, change, at: self.clock.time_of_day() });
    }
}

impl Census for WebhookBridge {
    fn lost(&self, user: UserId, connection: RemoteConnection) {
        self.tell(user, connection, ConnectionChange::Closed);
    }

    fn returned(&self, user: UserId, connection: RemoteConnection) {
        self.tell(user, connection, ConnectionChange::Connected);
    }
}

impl ConnectionListener for WebhookBridge {
    fn handle(&self, ConnectionEvent { user, client, change, at }: ConnectionEvent) {
        // A token of Centrifugo's may have anything there.
        let info: Option<Info> = client.info.as_deref().and_then(|info| serde_json::from_str(info).ok());
        let platform = info.map(|info| info.platform).filter(|platform| platform.len() <= MAX_PLATFORM_BYTES);
        self.webhook.offer(StateChange {
            user,
            account: client.account.as_str().into(),
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
