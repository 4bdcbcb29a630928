//! What travels on a bucket's channel and stands in its log.
//!
//! | begins with | is |
//! |---|---|
//! | `e <previous> <clock>` newline, entries | an event: the changes of one script call |
//! | `t <clock>` | a tick: nothing happened after that clock |
//! | `o <user>` newline, bytes | an order to whoever has connections of the user |
//!
//! An entry is `<user> <incarnation> <exit> <length>`, a newline, and as many bytes: the record that the incarnation has
//! of the user from here on, none where it has no connections left. What begins otherwise is of a later version and is
//! skipped.

use bytes::Bytes;
use uuid::Uuid;

use super::node::Incarnation;
use crate::presence::general_status::Exit;
use crate::presence::id::UserId;

/// A bucket's clock: microseconds since the Unix epoch, or one more than before. Orders the events of the bucket.
pub type BucketClock = u64;

/// The changes of one script call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The clock of the event before it.
    pub previous: BucketClock,
    /// Its own.
    pub clock: BucketClock,
    /// What changed.
    pub changes: Vec<Change>,
}

/// A change of what one incarnation has of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whose change it is.
    pub user: UserId,
    /// Which node's.
    pub incarnation: Incarnation,
    /// How the last connection there ended, where it did.
    pub exit: Option<Exit>,
    /// The packed record; empty: none left.
    pub value: Bytes,
}

/// A message of a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Something changed.
    Event(Event),
    /// Nothing changed since this clock.
    Tick(BucketClock),
    /// An order about a user.
    NodeCommand(UserId, Bytes),
}

/// How an exit is written.
pub fn exit_letter(exit: Exit) -> &'static str {
    match exit {
        Exit::Lost => "l",
        Exit::LoggedOut => "o",
    }
}

/// Reads [`exit_letter`]; anything else is no exit.
pub fn read_exit(letter: &[u8]) -> Option<Exit> {
    match letter {
        b"l" => Some(Exit::Lost),
        b"o" => Some(Exit::LoggedOut),
        _ => None,
    }
}

/// Reads a message; none for what this version does not know.
pub fn read(payload: &Bytes) -> Option<Message> {
    let (head, rest) = split_line(payload);
    let mut words = head.split(|&byte| byte == b' ');
    match words.next()? {
        b"e" => {
            let (previous, clock) = (number(words.next()?)?, number(words.next()?)?);
            Some(Message::Event(Event { previous, clock, changes: read_changes(&payload.slice_ref(rest))? }))
        }
        b"t" => Some(Message::Tick(number(words.next()?)?)),
        b"o" => Some(Message::NodeCommand(read_user(words.next()?)?, payload.slice_ref(rest))),
        _ => None,
    }
}

/// Reads the entries of an event.
pub fn read_changes(entries: &Bytes) -> Option<Vec<Change>> {
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
        changes.push(Change { user, incarnation, exit, value: left.slice_ref(value) });
        left = left.slice_ref(after);
    }
    Some(changes)
}

/// The payload of an order.
pub fn order(user: UserId, order: &[u8]) -> Vec<u8> {
    [format!("o {}\n", user.uuid().simple()).as_bytes(), order].concat()
}

/// The text before the first newline, and what is after it.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b'\n', bytes) {
        Some(end) => (&bytes[..end], &bytes[end + 1..]),
        None => (bytes, &bytes[bytes.len()..]),
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// Reads a user as the scripts write it.
pub fn read_user(text: &[u8]) -> Option<UserId> {
    Uuid::try_parse_ascii(text).ok().map(UserId::from_uuid)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn write(event: &Event) -> Bytes {
        let mut bytes = format!("e {} {}\n", event.previous, event.clock).into_bytes();
        for change in &event.changes {
            let exit = change.exit.map_or("-", exit_letter);
            let (user, length) = (change.user.uuid().simple(), change.value.len());
            bytes.extend(format!("{user} {} {exit} {length}\n", change.incarnation).into_bytes());
            bytes.extend(&change.value);
        }
        bytes.into()
    }

    fn change() -> impl Strategy<Value = Change> {
        let exit = prop_oneof![Just(None), Just(Some(Exit::Lost)), Just(Some(Exit::LoggedOut))];
        let value = prop::collection::vec(any::<u8>(), 0..40);
        (any::<u128>(), any::<u64>(), exit, value).prop_map(|(user, incarnation, exit, value)| Change {
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
            let event = Event { previous, clock, changes };
            prop_assert_eq!(read(&write(&event)), Some(Message::Event(event)));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..100), kind in "[eto]( [0-9]{1,3}){0,2}\n") {
            let _read_or_not = read(&Bytes::from(bytes.clone()));
            let _read_or_not = read(&Bytes::from([kind.into_bytes(), bytes].concat()));
        }
    }

    #[test]
    fn ticks_and_orders_are_read_and_what_is_unknown_is_skipped() {
        let user = UserId::random();
        assert_eq!(read(&Bytes::from_static(b"t 17")), Some(Message::Tick(17)));
        let written = Bytes::from(order(user, b"any\nbytes"));
        assert_eq!(read(&written), Some(Message::NodeCommand(user, Bytes::from_static(b"any\nbytes"))));
        for unknown in ["", "x 1 2", "e 1", "e 1 2\nuser", "t", "t x"] {
            assert_eq!(read(&Bytes::from_static(unknown.as_bytes())), None, "{unknown}");
        }
    }
}
