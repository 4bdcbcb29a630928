//! What a client has that is told whole presences: its own names for those it follows.

use bytestring::ByteString;
use hashbrown::HashMap;

use super::State;
use super::codec::{Publisher, Topic};
use super::notification::{Notification, Outcome, Pace};
use crate::presence::id::UserId;

/// A client that is told whole presences.
#[derive(Default)]
pub(super) struct Subscriber {
    /// Whom it is told of, and under which name. Bounded by what the session follows.
    topics: HashMap<UserId, Topic>,
    /// What its token has others know of it.
    pub info: Option<ByteString>,
}

impl State {
    /// Tells of this user from here on, under this name.
    pub(super) fn name(&mut self, user: UserId, topic: Topic) {
        self.subscriber.get_or_insert_default().topics.insert(user, topic);
    }

    /// Tells of this user no longer.
    pub(super) fn unname(&mut self, user: UserId) {
        if let Some(subscriber) = &mut self.subscriber {
            subscriber.topics.remove(&user);
        }
    }

    /// Tells what the user shows after a change. Whoever has no name here is not followed yet, and what happened until
    /// then is in the snapshot; or it is the client's own user, whose changes its address is told in any case.
    pub(super) fn publish(
        &mut self,
        notification: &Notification,
        publisher: &dyn Publisher,
        bound: usize,
        pace: Pace,
    ) -> Outcome {
        let topics = self.subscriber.as_ref().map(|subscriber| &subscriber.topics);
        let Some(topic) = topics.and_then(|topics| topics.get(&notification.diff().user)) else {
            return Outcome::Passed;
        };
        if self.queue.folds(bound) {
            self.queue.fold_whole(topic, notification.after());
            return Outcome::Folded;
        }
        let publication = publisher.publication(topic, notification.body(publisher));
        self.hand_over(&[publication], pace)
    }
}
