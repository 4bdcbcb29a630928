mod delivery;
mod order;
mod shape;

use std::sync::Arc;

use uuid::Uuid;

use super::change::{Loss, StateChange, Transition, WebhookEvent};
use crate::presence::id::UserId;
use crate::presence::time::Timestamp;

const LOST: Transition = Transition::Disconnect(Loss::LinkClosed);

/// A change of `user` on the platform `Web`. Receivers get the time, so it identifies the change.
fn change(user: &str, transition: Transition, at: u64) -> StateChange {
    StateChange {
        user: UserId::from_name(user),
        native_id: user.into(),
        transition,
        platform: "Web".into(),
        client_ip: Some([192, 0, 2, 7].into()),
        at: Timestamp::from_secs(at),
    }
}

fn event(user: &str, transition: Transition, at: u64) -> Arc<WebhookEvent> {
    Arc::new(WebhookEvent { id: Uuid::from_u128(u128::from(at)), change: change(user, transition, at) })
}
