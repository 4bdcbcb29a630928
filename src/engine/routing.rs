//! What a supervisor only passes on to single users: who watches them, who looks at them, to whom they look absent.

use actix::Handler;

use super::mailbox::Counted;
use super::messages::{Addresses, FollowSilently, LeaveMember, Question, Routed, SetCustom, SetHidden, View};
use super::supervisor::Supervisor;

impl Handler<Counted<View>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<View>, _: &mut Self::Context) {
        let View { users, asker, answer } = counted.content;
        for user in users {
            if let Some(entry) = self.users.get_mut(&user) {
                entry.route(Routed::Ask(Question::View(asker, answer.clone())));
            }
        }
    }
}

impl Handler<Counted<SetCustom>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<SetCustom>, _: &mut Self::Context) {
        let SetCustom { text, ticket } = counted.content;
        // Without an entry the ticket is dropped, which tells its session.
        if let Some(entry) = self.users.get_mut(&ticket.user()) {
            entry.route(Routed::SetCustom(text, ticket));
        }
    }
}

impl Handler<Counted<Addresses>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<Addresses>, _: &mut Self::Context) {
        let Addresses { user, answer } = counted.content;
        // Without an entry the answer is dropped: there are none.
        if let Some(entry) = self.users.get_mut(&user) {
            entry.route(Routed::Ask(Question::Addresses(answer)));
        }
    }
}

impl Handler<Counted<SetHidden>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<SetHidden>, _: &mut Self::Context) {
        let SetHidden { user, addresses, hide } = counted.content;
        if let Some(entry) = self.users.get_mut(&user) {
            entry.route(if hide { Routed::Conceal(addresses) } else { Routed::Reveal(addresses) });
        }
    }
}

impl Handler<Counted<FollowSilently>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<FollowSilently>, _: &mut Self::Context) {
        let FollowSilently { users, address, watcher } = counted.content;
        for user in users {
            let quota = self.follow_quota;
            match self.entry(user, quota) {
                Ok(entry) => entry.route(Routed::FollowSilently(address.clone(), watcher)),
                Err(_) => log::warn!("a device does not follow all that its account follows: the server is busy"),
            }
        }
    }
}

impl Handler<Counted<LeaveMember>> for Supervisor {
    type Result = ();

    fn handle(&mut self, counted: Counted<LeaveMember>, _: &mut Self::Context) {
        let LeaveMember { users, address, answer } = counted.content;
        for user in users {
            if let Some(entry) = self.users.get_mut(&user) {
                entry.route(Routed::LeaveMember(address.clone(), answer.clone()));
            }
        }
    }
}
