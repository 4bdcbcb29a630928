//! Users, followers and changes for the benchmarks of all dialects.

use hereabouts::metrics::Metrics;
use hereabouts::outbox::{Codec, Opening, OutboxReceiver};
use hereabouts::presence::diff::{Diff, OwnStatus, Presence, Snapshot};
use hereabouts::presence::id::{ConnectionId, UserId, Username};
use hereabouts::presence::last_seen::LastSeen;
use hereabouts::presence::status::{StatusText, Version};
use uuid::Uuid;

/// Default bound of an outbox in bytes.
const OUTBOX_BYTES: usize = 64 * 1024;

/// Returns the user with this number. The ids share no prefix, like random ones.
pub fn user(number: u32) -> UserId {
    UserId::from_uuid(Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_le_bytes()))
}

/// Returns the connection with this number.
pub fn connection(number: u32) -> ConnectionId {
    ConnectionId::from_uuid(Uuid::new_v5(&Uuid::NAMESPACE_URL, &number.to_le_bytes()))
}

/// Returns a status of usual length.
pub fn status(number: u32) -> StatusText {
    StatusText::new(&format!("In a match, round {number}")).expect("it is short")
}

/// Returns the outboxes of invisible connections, with numbers from 0.
pub fn outboxes(count: u32, codec: &'static dyn Codec) -> Vec<OutboxReceiver> {
    let metrics = Metrics::new();
    let opening = |number| Opening { connection: connection(number), username: None, status: None };
    (0..count).map(|number| OutboxReceiver::new(opening(number), codec, OUTBOX_BYTES, &metrics)).collect()
}

/// Returns the presence of a user with one connection.
pub fn presence(number: u32, status: StatusText) -> Presence {
    let username = Username::new(&format!("player_{number:06}")).expect("it is short");
    Presence { connection: connection(number), username: Some(username), status }
}

/// Returns a change from one status to another, the most frequent diff.
pub fn update() -> Diff {
    Diff {
        user: user(1),
        version: Version::default(),
        joins: vec![presence(1, status(2))],
        leaves: vec![presence(1, status(1))],
    }
}

/// Returns the user's snapshot after that change.
pub fn updated() -> Snapshot {
    let update = update();
    Snapshot {
        user: update.user,
        version: update.version,
        presences: update.joins,
        last_seen: LastSeen::default(),
        own: OwnStatus::default(),
    }
}

/// Returns the snapshots of `count` users with one connection each.
pub fn snapshots(count: u32) -> Vec<Snapshot> {
    (0..count)
        .map(|number| Snapshot {
            user: user(number),
            version: Version::default(),
            presences: vec![presence(number, status(number))],
            last_seen: LastSeen::default(),
            own: OwnStatus::default(),
        })
        .collect()
}
