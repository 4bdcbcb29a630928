//! Users, followers and changes to work with, whatever the dialect.

use hereabouts::metrics::Metrics;
use hereabouts::outbox::{Address, Codec, Opening};
use hereabouts::presence::diff::{Diff, OwnStatus, Presence, Snapshot};
use hereabouts::presence::id::{ConnectionId, UserId, Username};
use hereabouts::presence::seen::LastSeen;
use hereabouts::presence::status::{StatusText, Version};
use uuid::Uuid;

/// Bytes that may wait for a follower, as by default.
const OUTBOX_BYTES: usize = 64 * 1024;

/// One of many users. Their ids share no prefix, as random ones do not.
pub fn user(number: u32) -> UserId {
    UserId::from_uuid(Uuid::new_v5(&Uuid::NAMESPACE_OID, &number.to_le_bytes()))
}

/// One of many connections.
pub fn connection(number: u32) -> ConnectionId {
    ConnectionId::from_uuid(Uuid::new_v5(&Uuid::NAMESPACE_URL, &number.to_le_bytes()))
}

/// A status of usual length.
pub fn status(number: u32) -> StatusText {
    StatusText::new(&format!("In a match, round {number}")).expect("it is short")
}

/// The outboxes of connections that show nothing, numbered from 0.
pub fn outboxes(count: u32, codec: &'static dyn Codec) -> Vec<Address> {
    let metrics = Metrics::new();
    let opening = |number| Opening { connection: connection(number), username: None, status: None };
    (0..count).map(|number| Address::new(opening(number), codec, OUTBOX_BYTES, &metrics)).collect()
}

/// A user's one visible connection.
pub fn presence(number: u32, status: StatusText) -> Presence {
    let username = Username::new(&format!("player_{number:06}")).expect("it is short");
    Presence { connection: connection(number), username: Some(username), status }
}

/// A change from one status to another: what is told most often.
pub fn update() -> Diff {
    Diff {
        user: user(1),
        version: Version::default(),
        joins: vec![presence(1, status(2))],
        leaves: vec![presence(1, status(1))],
    }
}

/// What the user shows after that.
pub fn updated() -> Snapshot {
    let update = update();
    Snapshot {
        user: update.user,
        version: update.version,
        presences: update.joins,
        seen: LastSeen::default(),
        own: OwnStatus::default(),
    }
}

/// What that many users show, each on one connection.
pub fn snapshots(count: u32) -> Vec<Snapshot> {
    (0..count)
        .map(|number| Snapshot {
            user: user(number),
            version: Version::default(),
            presences: vec![presence(number, status(number))],
            seen: LastSeen::default(),
            own: OwnStatus::default(),
        })
        .collect()
}
