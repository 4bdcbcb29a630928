//! Answers of a user actor to questions. They change nothing, and the asker may have gone.

use tokio::sync::{mpsc, oneshot};

use super::UserActor;
use crate::engine::inspection::UserInspection;
use crate::outbox::{Address, VisibleConnection};
use crate::presence::diff::Snapshot;
use crate::presence::id::UserId;
use crate::presence::user::UserPresence;

/// Returns the visible connections of a user, those on this node at the end.
pub fn visible_connections(presence: &UserPresence<Address>) -> Vec<VisibleConnection> {
    let remote = presence.detached().filter(|other| other.status.is_some());
    let remote = remote.map(|other| VisibleConnection { connection: other.shown(), info: other.info.clone() });
    let here = presence
        .visible()
        .map(|each| VisibleConnection { connection: presence.shown(each.id), info: each.address.info() });
    remote.chain(here).collect()
}

impl UserActor {
    pub(super) fn send_snapshot(&self, asker: Option<UserId>, answer: &mpsc::UnboundedSender<Snapshot>) {
        let _asker_gone = answer.send(self.snapshot_for(asker));
    }

    pub(super) fn send_inspection(&self, answer: &mpsc::UnboundedSender<(UserId, UserInspection)>) {
        let _asker_gone = answer.send((self.presence.user(), UserInspection::of(&self.presence)));
    }

    pub(super) fn send_addresses(&self, answer: oneshot::Sender<Vec<Address>>) {
        let _asker_gone = answer.send(self.presence.addresses().cloned().collect());
    }

    pub(super) fn send_visible_connections(
        &self,
        asker: Option<UserId>,
        answer: oneshot::Sender<Vec<VisibleConnection>>,
    ) {
        let _asker_gone = answer.send(self.view(asker).list(visible_connections(&self.presence)));
    }
}
