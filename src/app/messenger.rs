//! Tells webhook receivers who comes and goes.

use std::sync::Arc;

use serde::Deserialize;

use crate::clock::Clock;
use crate::engine::Census;
use crate::presence::elsewhere::RemoteConnection;
use crate::presence::id::UserId;
use crate::session::porter::{Passage, Passing, Porter, Visitor};
use crate::webhook::{Loss, StateChange, Transition, Webhook};

/// Bytes of a platform's name; a longer one is not told.
const LONGEST_PLATFORM: usize = 64;

/// Offers every passage to the webhooks.
pub struct Messenger {
    webhook: Webhook,
    clock: Clock,
}

/// What a client says of itself, as far as receivers are told.
#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    platform: String,
}

impl Messenger {
    /// None: there are no receivers, so sessions need not tell.
    pub fn of(webhook: &Webhook, clock: &Clock) -> Option<Arc<Self>> {
        webhook.is_on().then(|| Arc::new(Self { webhook: webhook.clone(), clock: clock.clone() }))
    }

    fn tell(&self, user: UserId, connection: RemoteConnection, passing: Passing) {
        let RemoteConnection { dialect, username, info, .. } = connection;
        // Of a later version: that will tell of it.
        let Some(dialect) = dialect else { return };
        let visitor = Arc::new(Visitor::new(dialect, user, username, info, None));
        self.passed(Passage { user, visitor, passing, at: self.clock.time_of_day() });
    }
}

impl Census for Messenger {
    fn lost(&self, user: UserId, connection: RemoteConnection) {
        self.tell(user, connection, Passing::Closed);
    }

    fn returned(&self, user: UserId, connection: RemoteConnection) {
        self.tell(user, connection, Passing::Came);
    }
}

impl Porter for Messenger {
    fn passed(&self, Passage { user, visitor, passing, at }: Passage) {
        // A token of Centrifugo's may have anything there.
        let info: Option<Info> = visitor.info.as_deref().and_then(|info| serde_json::from_str(info).ok());
        let platform = info.map(|info| info.platform).filter(|platform| platform.len() <= LONGEST_PLATFORM);
        self.webhook.offer(StateChange {
            user,
            account: visitor.account.as_str().into(),
            transition: transition(passing),
            platform: platform.unwrap_or_default().into(),
            client_ip: visitor.ip,
            at,
        });
    }
}

fn transition(passing: Passing) -> Transition {
    match passing {
        Passing::Came => Transition::Login,
        Passing::LoggedOut => Transition::Logout,
        Passing::Closed => Transition::Disconnect(Loss::LinkClosed),
        Passing::Silent => Transition::Disconnect(Loss::TimedOut),
    }
}
