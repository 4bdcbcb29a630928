//! The messages on a bucket's channel, and the entries of its log.
//!
//! | begins with | meaning |
//! |---|---|
//! | `e <previous> <clock>` newline, entries | an event: the record changes of one script call |
//! | `t <clock>` | a tick: nothing changed after that clock |
//! | `o <user>` newline, bytes | a command about the user to every node ([`super::command`]) |
//!
//! An entry is `<user> <incarnation> <exit> <length>`, a newline, and that many bytes: the new record of the user under
//! the incarnation. No bytes mean that it has no connections left. A message with another beginning is of a later version
//! and is skipped.

use bytes::Bytes;
use uuid::Uuid;

use super::command::NodeCommand;
use super::node::Incarnation;
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;
use crate::presence::last_seen::LastSeen;

/// A bucket's clock: microseconds since the Unix epoch, or one more than the last value. Orders the bucket's events.
pub type BucketClock = u64;

/// The record changes of one script call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketEvent {
    /// The clock of the event before this one.
    pub previous: BucketClock,
    /// The clock of this event.
    pub clock: BucketClock,
    /// The changes.
    pub changes: Vec<RecordChange>,
}

/// A change of one user's record under one incarnation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordChange {
    /// The user.
    pub user: UserId,
    /// The incarnation of the node.
    pub incarnation: Incarnation,
    /// How the last connection there ended, or `None` if connections are left.
    pub exit: Option<Exit>,
    /// The packed record. Empty means that no connections are left.
    pub value: Bytes,
}

/// A message on a bucket's channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BucketMessage {
    /// Records changed.
    Event(BucketEvent),
    /// Nothing changed since this clock.
    Tick(BucketClock),
    /// A packed command about a user.
    Command(UserId, Bytes),
}

/// Returns the code of an exit.
pub fn exit_code(exit: Exit) -> &'static str {
    match exit {
        Exit::Lost => "l",
        Exit::LoggedOut => "o",
    }
}

/// Reads the code of an exit. Anything else is `None`.
pub fn read_exit(code: &[u8]) -> Option<Exit> {
    match code {
        b"l" => Some(Exit::Lost),
        b"o" => Some(Exit::LoggedOut),
        _ => None,
    }
}

/// Reads a message. `None` means that this version does not know it.
pub fn read(payload: &Bytes) -> Option<BucketMessage> {
    let (head, rest) = split_line(payload);
    let mut words = head.split(|&byte| byte == b' ');
    match words.next()? {
        b"e" => {
            let (previous, clock) = (number(words.next()?)?, number(words.next()?)?);
            Some(BucketMessage::Event(BucketEvent {
                previous,
                clock,
                changes: read_changes(&payload.slice_ref(rest))?,
            }))
        }
        b"t" => Some(BucketMessage::Tick(number(words.next()?)?)),
        b"o" => Some(BucketMessage::Command(read_user(words.next()?)?, payload.slice_ref(rest))),
        _ => None,
    }
}

/// Reads the entries of an event.
pub fn read_changes(entries: &Bytes) -> Option<Vec<RecordChange>> {
    let mut changes = Vec::new();
    let mut left = entries.clone();
    while !left.is_empty() {
        let (head, rest) = split_line(&left);
        let mut words = head.split(|&byte| byte == b' ');
        let user = read_user(words.next()?)?;
        let incarnation = Incarnation::parse(words.next()?)?;
        let exit = read_exit(words.next()?);
        let length = usize::try_from(number(words.next()?)?).ok()?;
        let (value, after) = rest.split_at_checked(length)?;
        changes.push(RecordChange { user, incarnation, exit, value: left.slice_ref(value) });
        left = left.slice_ref(after);
    }
    Some(changes)
}

/// Builds the message with a command about a user.
pub fn command_message(user: UserId, command: &NodeCommand) -> Vec<u8> {
    [format!("o {}\n", user.uuid().simple()).as_bytes(), &command.encode()].concat()
}

/// Builds the message that tells other nodes about an activity: the new last-seen values, after the earlier record is
/// forgotten if `forget` is set. The last-seen store publishes it together with the write.
pub fn activity_message(user: UserId, forget: bool, activity: &LastSeen) -> Vec<u8> {
    let command = NodeCommand::Activity { forget, active: activity.active, state: activity.state.clone() };
    command_message(user, &command)
}

/// Splits at the first newline.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'\n', bytes) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &bytes[bytes.len()..]),
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Reads a user id in the form of the scripts.
pub fn read_user(text: &[u8]) -> Option<UserId> {
    Uuid::try_parse_ascii(text).ok().map(UserId::from_uuid)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn write(event: &BucketEvent) -> Bytes {
        let mut bytes = format!("e {} {}\n", event.previous, event.clock).into_bytes();
        for change in &event.changes {
            let exit = change.exit.map_or("-", exit_code);
            let (user, length) = (change.user.uuid().simple(), change.value.len());
            bytes.extend(format!("{user} {} {exit} {length}\n", change.incarnation).into_bytes());
            bytes.extend(&change.value);
        }
        bytes.into()
    }

    fn change() -> impl Strategy<Value = RecordChange> {
        let exit = prop_oneof![Just(None), Just(Some(Exit::Lost)), Just(Some(Exit::LoggedOut))];
        let value = prop::collection::vec(any::<u8>(), 0..40);
        (any::<u128>(), any::<u64>(), exit, value).prop_map(|(user, incarnation, exit, value)| RecordChange {
            user: UserId::from_uuid(Uuid::from_u128(user)),
            incarnation: Incarnation::from(incarnation),
            exit,
            value: value.into(),
        })
    }

    proptest! {
        #[test]
        fn an_event_is_read_as_it_was_written(
            previous in any::<u64>(),
            clock in any::<u64>(),
            changes in prop::collection::vec(change(), 0..5),
        ) {
            let event = BucketEvent { previous, clock, changes };
            prop_assert_eq!(read(&write(&event)), Some(BucketMessage::Event(event)));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), kind in "[eto]( [0-9]{1,3}){0,2}\n") {
            let _read_or_not = read(&Bytes::from(bytes.clone()));
            let _read_or_not = read(&Bytes::from([kind.into_bytes(), bytes].concat()));
        }
    }

    #[test]
    fn ticks_and_commands_are_read_and_unknown_messages_are_skipped() {
        let user = UserId::random();
        assert_eq!(read(&Bytes::from_static(b"t 17")), Some(BucketMessage::Tick(17)));
        let written = Bytes::from(format!("o {}\nany\nbytes", user.uuid().simple()));
        assert_eq!(read(&written), Some(BucketMessage::Command(user, Bytes::from_static(b"any\nbytes"))));
        let command = NodeCommand::Subscriptions { revision: 7 };
        let written = Bytes::from(command_message(user, &command));
        assert_eq!(read(&written), Some(BucketMessage::Command(user, command.encode().into())));
        for unknown in ["", "x 1 2", "e 1", "e 1 2\nuser", "t", "t x"] {
            assert_eq!(read(&Bytes::from_static(unknown.as_bytes())), None, "{unknown}");
        }
    }
}
