//! Has it told who comes and goes.

use std::net::IpAddr;
use std::sync::Arc;

use super::SessionActor;
use crate::engine::Attachment;
use crate::presence::general::Exit;
use crate::presence::id::UserId;
use crate::session::porter::{Passage, Passing, Visitor};
use crate::session::state::Ending;

impl SessionActor {
    /// The client is there.
    pub fn arriving_from(mut self, ip: Option<IpAddr>) -> Self {
        let visitor = || Arc::new(Visitor { account: String::new(), info: None, ip });
        self.visitor = self.services.porter.is_some().then(visitor);
        self
    }

    /// The connection is part of its user, if it is.
    pub(super) fn came(&mut self) {
        let (Some(attachment), Some(visitor)) = (&self.attachment, &self.visitor) else { return };
        let user = attachment.user();
        let name = self.address.announce().and_then(|connection| connection.username);
        let visitor = Visitor::new(self.address.dialect(), user, name, self.address.info(), visitor.ip);
        let visitor = Arc::new(visitor);
        self.visitor = Some(visitor.clone());
        self.tell_porter(user, visitor, Passing::Came);
    }

    /// The connection is part of its user no longer.
    pub(super) fn went(&mut self, attachment: &Attachment) {
        let Some(visitor) = self.visitor.take() else { return };
        let passing = match attachment.exit() {
            Exit::LoggedOut => Passing::LoggedOut,
            Exit::Lost => match self.state.ending() {
                Ending::Silent => Passing::Silent,
                Ending::Broken | Ending::Closed | Ending::Drained => Passing::Closed,
            },
        };
        self.tell_porter(attachment.user(), visitor, passing);
    }

    fn tell_porter(&self, user: UserId, visitor: Arc<Visitor>, passing: Passing) {
        if let Some(porter) = &self.services.porter {
            porter.passed(Passage { user, visitor, passing, at: self.services.clock.time_of_day() });
        }
    }
}
