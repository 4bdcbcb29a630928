//! Tells webhook receivers who comes and goes.

use std::sync::Arc;

use serde::Deserialize;

use crate::session::porter::{Passage, Passing, Porter};
use crate::webhook::{Loss, StateChange, Transition, Webhook};

/// Bytes of a platform's name; a longer one is not told.
const LONGEST_PLATFORM: usize = 64;

/// Offers every passage to the webhooks.
pub struct Messenger(Webhook);

/// What a client says of itself, as far as receivers are told.
#[derive(Deserialize)]
struct Info {
    #[serde(default)]
    platform: String,
}

impl Messenger {
    /// None: there are no receivers, so sessions need not tell.
    pub fn of(webhook: &Webhook) -> Option<Arc<dyn Porter>> {
        webhook.is_on().then(|| Arc::new(Self(webhook.clone())) as Arc<dyn Porter>)
    }
}

impl Porter for Messenger {
    fn passed(&self, Passage { user, visitor, passing, at }: Passage) {
        // A token of Centrifugo's may have anything there.
        let info: Option<Info> = visitor.info.as_deref().and_then(|info| serde_json::from_str(info).ok());
        let platform = info.map(|info| info.platform).filter(|platform| platform.len() <= LONGEST_PLATFORM);
        self.0.offer(StateChange {
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
