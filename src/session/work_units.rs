//! The units of work that a decoded message costs, on top of its frames.
//!
//! The budget that they are charged to is [`WorkBudget`](crate::presence::work::WorkBudget). Every frame is charged before
//! it is decoded, so that what no dialect understands is not free.

use super::command::Command;
use super::member::{MemberCall, MemberCommand};
use super::protocol::Decoded;

/// Units of the check of a token: a signature, maybe of a public key.
const TOKEN_UNITS: usize = 10;

/// Returns the units of a decoded message. Each message of a batch costs as much as a frame.
pub fn work_units(decoded: &Decoded) -> usize {
    match decoded {
        Decoded::Batch(batch) => batch.iter().map(|part| 1 + work_units(part)).sum(),
        Decoded::Command(command) => command_units(&command.command),
        Decoded::Refused(_) | Decoded::Fatal(..) | Decoded::Pong | Decoded::BatchReplies(_) => 0,
    }
}

/// Returns one unit for each user that the command names.
fn command_units(command: &Command) -> usize {
    match command {
        Command::Follow { users, usernames } => users.len() + usernames.len(),
        Command::Unfollow(users) => users.len(),
        Command::Connect { .. } | Command::Refresh { .. } => TOKEN_UNITS,
        Command::Subscribe { .. } | Command::ListConnections(_) => 1,
        Command::Member(command) => member_units(command),
        Command::Ping | Command::SetStatus(_) | Command::MarkActive(_) | Command::Nothing => 0,
    }
}

fn member_units(command: &MemberCommand) -> usize {
    match command {
        MemberCommand::Login { .. } => TOKEN_UNITS,
        MemberCommand::Call(MemberCall::Query(names) | MemberCall::Subscribe(names)) => names.len(),
        MemberCommand::Call(MemberCall::Unsubscribe(names)) => names.as_ref().map_or(1, Vec::len),
        MemberCommand::Call(MemberCall::Logout | MemberCall::SetCustomStatus(_) | MemberCall::Invalid(_))
        | MemberCommand::InvalidLogin(_)
        | MemberCommand::Heartbeat => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::RequestTag;
    use crate::presence::id::{UserId, Username};
    use crate::presence::member_name::MemberName;
    use crate::session::command::TaggedCommand;

    fn units(command: Command) -> usize {
        work_units(&Decoded::Command(TaggedCommand { tag: RequestTag(None), command }))
    }

    fn users(count: usize) -> Vec<UserId> {
        (0..count).map(|number| UserId::from_name(&number.to_string())).collect()
    }

    fn names(count: usize) -> Vec<MemberName> {
        (0..count).map(|number| MemberName::new(&number.to_string()).unwrap()).collect()
    }

    #[test]
    fn a_command_costs_what_it_names() {
        let usernames = vec![Username::new("bob").unwrap(); 3500];
        assert_eq!(
            units(Command::Follow { users: users(2), usernames }),
            3502,
            "unknown names cost as much as known ones"
        );
        assert_eq!(units(Command::Unfollow(users(7))), 7);
        assert_eq!(units(Command::Ping), 0);
        assert_eq!(units(Command::Connect { token: "".into() }), TOKEN_UNITS);
        let call = |call| units(Command::Member(MemberCommand::Call(call)));
        assert_eq!(call(MemberCall::Query(names(500))), 500);
        assert_eq!(call(MemberCall::Subscribe(names(100))), 100);
        assert_eq!(call(MemberCall::Unsubscribe(None)), 1);
    }

    #[test]
    fn each_message_of_a_batch_costs_a_frame() {
        let batch = vec![Decoded::Refused(Vec::new()), Decoded::Pong, Decoded::BatchReplies(2)];
        assert_eq!(work_units(&Decoded::Batch(batch)), 3);
    }
}
