//! What a supervisor only passes on to single users: who watches them, who looks at them, to whom they look absent.

use actix::Handler;

use super::mailbox::Letter;
use super::messages::{Addresses, Part, Question, Routed, SetCustom, Turn, View, Watch};
use super::supervisor::Supervisor;

impl Handler<Letter<View>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<View>, _: &mut Self::Context) {
        let View { users, asker, answer } = letter.content;
        for user in users {
            if let Some(entry) = self.users.get_mut(&user) {
                entry.route(Routed::Ask(Question::View(asker, answer.clone())));
            }
        }
    }
}

impl Handler<Letter<SetCustom>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<SetCustom>, _: &mut Self::Context) {
        let SetCustom { text, ticket } = letter.content;
        // Without an entry the ticket is dropped, which tells its session.
        if let Some(entry) = self.users.get_mut(&ticket.user()) {
            entry.route(Routed::SetCustom(text, ticket));
        }
    }
}

impl Handler<Letter<Addresses>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Addresses>, _: &mut Self::Context) {
        let Addresses { user, answer } = letter.content;
        // Without an entry the answer is dropped: there are none.
        if let Some(entry) = self.users.get_mut(&user) {
            entry.route(Routed::Ask(Question::Addresses(answer)));
        }
    }
}

impl Handler<Letter<Turn>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Turn>, _: &mut Self::Context) {
        let Turn { user, addresses, hide } = letter.content;
        if let Some(entry) = self.users.get_mut(&user) {
            entry.route(if hide { Routed::Conceal(addresses) } else { Routed::Reveal(addresses) });
        }
    }
}

impl Handler<Letter<Watch>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Watch>, _: &mut Self::Context) {
        let Watch { users, address, watcher } = letter.content;
        for user in users {
            let quota = self.follow_quota;
            match self.entry(user, quota) {
                Ok(entry) => entry.route(Routed::Watch(address.clone(), watcher)),
                Err(_) => log::warn!("a device does not follow all that its account follows: the server is busy"),
            }
        }
    }
}

impl Handler<Letter<Part>> for Supervisor {
    type Result = ();

    fn handle(&mut self, letter: Letter<Part>, _: &mut Self::Context) {
        let Part { users, address, answer } = letter.content;
        for user in users {
            if let Some(entry) = self.users.get_mut(&user) {
                entry.route(Routed::Part(address.clone(), answer.clone()));
            }
        }
    }
}
