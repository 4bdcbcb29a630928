//! A node's record of one user in Redis: its connections of the user, packed, a format byte first.
//!
//! Format 1 is a protobuf message, so that a later version may add fields which an earlier one skips. A change that needs
//! more gets another format byte. A record of an unknown format counts as no connections.
//!
//! | byte | meaning |
//! |---|---|
//! | `L` | only before another byte: the user lingers, its connections are lost and may come back |
//! | 1 | the message below |

use bytestring::ByteString;
use prost::Message;
use uuid::Uuid;

use crate::presence::dialect::Dialect;
use crate::presence::id::{ConnectionId, Username};
use crate::presence::remote::{CustomStatus, RemoteConnection};
use crate::presence::status::StatusText;
use crate::presence::time::Timestamp;

const LINGERING: u8 = b'L';
const FORMAT: u8 = 1;

/// Maximum number of connections of one user in a record. Further ones are left out.
pub const MAX_CONNECTIONS: usize = 256;

/// Maximum length of a connection's info, bytes. A longer one is left out.
pub const MAX_INFO_BYTES: usize = 2048;

/// Maximum length of a record that is read, bytes: [`MAX_CONNECTIONS`] with the longest names and texts.
const MAX_BYTES: usize = MAX_CONNECTIONS * (2400 + MAX_INFO_BYTES);

/// A node's connections of one user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The connections in the order of their opening.
    pub connections: Vec<RemoteConnection>,
    /// The connections are lost. They stay visible until a deadline, in case the user comes back.
    pub lingering: bool,
    /// Shown ids of connections that linger on other nodes and must no longer be visible.
    pub superseded: Vec<ConnectionId>,
    /// The user's custom status, as far as the node knows.
    pub custom: CustomStatus,
    /// Connections that are lost while others are still open.
    pub left: Vec<ConnectionId>,
}

/// Why a record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnreadableRecord {
    /// Another version, which this one does not know, wrote the record.
    #[error("a record has format {0}, which this version does not know")]
    UnknownFormat(u8),
    /// The bytes have a form that this program does not write.
    #[error("a record is damaged")]
    Damaged,
}

#[derive(Clone, PartialEq, Message)]
struct PackedRecord {
    #[prost(message, repeated, tag = "1")]
    connections: Vec<PackedConnection>,
    /// Microseconds since the Unix epoch; 0 means that the user never set a custom status.
    #[prost(uint64, tag = "2")]
    custom_since: u64,
    #[prost(string, optional, tag = "3")]
    custom: Option<String>,
    #[prost(bytes = "vec", repeated, tag = "4")]
    superseded: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "5")]
    left: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
struct PackedConnection {
    #[prost(bytes = "vec", tag = "1")]
    id: Vec<u8>,
    #[prost(string, optional, tag = "2")]
    username: Option<String>,
    #[prost(string, optional, tag = "3")]
    status: Option<String>,
    #[prost(bytes = "vec", tag = "4")]
    shown_as: Vec<u8>,
    #[prost(uint32, tag = "5")]
    kind: u32,
    /// Microseconds since the Unix epoch.
    #[prost(fixed64, tag = "6")]
    since: u64,
    #[prost(string, optional, tag = "7")]
    info: Option<String>,
}

/// Returns whether a packed record lingers.
pub fn is_lingering(packed: &[u8]) -> bool {
    packed.first() == Some(&LINGERING)
}

impl Record {
    /// Returns whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty() && self.superseded.is_empty()
    }

    /// Returns the connections that are still open, of a record that does not linger.
    pub fn open_connections(self) -> Vec<RemoteConnection> {
        let Self { mut connections, left, .. } = self;
        connections.retain(|connection| !left.contains(&connection.id));
        connections
    }

    /// Packs the record.
    pub fn encode(&self) -> Vec<u8> {
        let connections = self.connections.iter().take(MAX_CONNECTIONS).map(pack).collect();
        let custom = self.custom.text.as_ref().map(|text| text.as_str().to_owned());
        let ids =
            |ids: &[ConnectionId]| ids.iter().take(MAX_CONNECTIONS).map(|id| id.uuid().as_bytes().to_vec()).collect();
        let (custom_since, superseded, left) = (self.custom.since.as_micros(), ids(&self.superseded), ids(&self.left));
        let packed = PackedRecord { connections, custom_since, custom, superseded, left };
        let mut bytes = Vec::with_capacity(packed.encoded_len() + 2);
        if self.lingering {
            bytes.push(LINGERING);
        }
        bytes.push(FORMAT);
        packed.encode(&mut bytes).expect("a vector grows");
        bytes
    }

    /// Unpacks a record.
    pub fn decode(bytes: &[u8]) -> Result<Self, UnreadableRecord> {
        let (lingering, bytes) = match bytes.strip_prefix(&[LINGERING]) {
            Some(rest) => (true, rest),
            None => (false, bytes),
        };
        let (&format, bytes) = bytes.split_first().ok_or(UnreadableRecord::Damaged)?;
        if format != FORMAT {
            return Err(UnreadableRecord::UnknownFormat(format));
        }
        if bytes.len() > MAX_BYTES {
            return Err(UnreadableRecord::Damaged);
        }
        let packed = PackedRecord::decode(bytes).map_err(|_| UnreadableRecord::Damaged)?;
        let connections: Option<Vec<_>> = packed.connections.iter().take(MAX_CONNECTIONS).map(unpack).collect();
        let text = packed.custom.as_deref().map(StatusText::new).transpose().map_err(|_| UnreadableRecord::Damaged)?;
        let custom = CustomStatus { text, since: Timestamp::from_micros(packed.custom_since) };
        let ids = |ids: &[Vec<u8>]| ids.iter().take(MAX_CONNECTIONS).map(|id| read_id(id)).collect::<Option<Vec<_>>>();
        let superseded = ids(&packed.superseded).ok_or(UnreadableRecord::Damaged)?;
        let left = ids(&packed.left).ok_or(UnreadableRecord::Damaged)?;
        Ok(Self { connections: connections.ok_or(UnreadableRecord::Damaged)?, lingering, superseded, custom, left })
    }
}

fn pack(connection: &RemoteConnection) -> PackedConnection {
    PackedConnection {
        id: connection.id.uuid().as_bytes().to_vec(),
        username: connection.username.as_ref().map(|name| name.as_str().to_owned()),
        status: connection.status.as_ref().map(|status| status.as_str().to_owned()),
        shown_as: connection.shown_as.map_or_else(Vec::new, |id| id.uuid().as_bytes().to_vec()),
        kind: connection.dialect.map_or(0, Dialect::number),
        since: connection.since.as_micros(),
        info: connection.info.as_deref().and_then(short_info).map(str::to_owned),
    }
}

/// Leaves out an info that is too long.
fn short_info(info: &str) -> Option<&str> {
    (info.len() <= MAX_INFO_BYTES).then_some(info)
}

fn read_id(bytes: &[u8]) -> Option<ConnectionId> {
    Uuid::from_slice(bytes).ok().map(ConnectionId::from_uuid)
}

fn unpack(packed: &PackedConnection) -> Option<RemoteConnection> {
    Some(RemoteConnection {
        id: read_id(&packed.id)?,
        shown_as: if packed.shown_as.is_empty() { None } else { Some(read_id(&packed.shown_as)?) },
        username: packed.username.as_deref().map(Username::new).transpose().ok()?,
        status: packed.status.as_deref().map(StatusText::new).transpose().ok()?,
        dialect: Dialect::numbered(packed.kind),
        since: Timestamp::from_micros(packed.since),
        info: packed.info.as_deref().and_then(short_info).map(ByteString::from),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn connection() -> impl Strategy<Value = RemoteConnection> {
        let id = any::<u128>().prop_map(|number| ConnectionId::from_uuid(Uuid::from_u128(number)));
        let name = prop::option::of("[^\\pC]{1,30}".prop_map(|text| Username::new(&text).unwrap()));
        let status = prop::option::of("\\PC{0,40}".prop_map(|text| StatusText::new(&text).unwrap()));
        let since = any::<u64>().prop_map(Timestamp::from_micros);
        let info = prop::option::of("\\PC{0,40}".prop_map(ByteString::from));
        (id.clone(), prop::option::of(id), name, status, 0..=3_u32, since, info).prop_map(
            |(id, shown_as, username, status, number, since, info)| RemoteConnection {
                id,
                shown_as,
                username,
                status,
                since,
                dialect: Dialect::numbered(number),
                info,
            },
        )
    }

    fn custom() -> impl Strategy<Value = CustomStatus> {
        let text = prop::option::of("\\PC{0,40}".prop_map(|text| StatusText::new(&text).unwrap()));
        (text, any::<u64>()).prop_map(|(text, since)| CustomStatus { text, since: Timestamp::from_micros(since) })
    }

    proptest! {
        #[test]
        fn a_record_is_read_as_it_was_written(
            connections in prop::collection::vec(connection(), 0..6),
            lingering in any::<bool>(),
            custom in custom(),
            superseded in prop::collection::vec(connection().prop_map(|connection| connection.id), 0..3),
            left in prop::collection::vec(connection().prop_map(|connection| connection.id), 0..3),
        ) {
            let record = Record { connections, lingering, superseded, custom, left };
            prop_assert_eq!(Record::decode(&record.encode()), Ok(record));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _read_or_not = Record::decode(&bytes);
            let with_format: Vec<u8> = std::iter::once(FORMAT).chain(bytes).collect();
            let _read_or_not = Record::decode(&with_format);
        }
    }

    #[test]
    fn a_record_is_small() {
        let connection = RemoteConnection {
            id: ConnectionId::from_uuid(Uuid::from_u128(1)),
            shown_as: None,
            username: Some(Username::new("alice").unwrap()),
            status: Some(StatusText::new("away").unwrap()),
            since: Timestamp::from_secs(1_795_220_273),
            dialect: Some(Dialect::Nakama),
            info: None,
        };
        let record = Record { connections: vec![connection], ..Record::default() };
        assert_eq!(record.encode().len(), 45);
        assert_eq!(record.encode()[0], 1, "the format");
    }

    #[test]
    fn an_info_that_is_too_long_is_left_out_when_it_is_read_too() {
        let connection = PackedConnection {
            id: vec![7; 16],
            info: Some("x".repeat(MAX_INFO_BYTES + 1)),
            ..PackedConnection::default()
        };
        let packed = PackedRecord { connections: vec![connection], ..PackedRecord::default() };
        let record = Record::decode(&[&[FORMAT], packed.encode_to_vec().as_slice()].concat()).unwrap();
        assert_eq!(record.connections.len(), 1);
        assert_eq!(record.connections[0].info, None);
        assert_eq!(Record::decode(&record.encode()), Ok(record));
    }

    #[test]
    fn fields_of_a_later_version_are_skipped_and_another_format_is_an_error() {
        let mut bytes = Record::default().encode();
        bytes.extend([0x7a, 2, b'h', b'i']);
        assert_eq!(Record::decode(&bytes), Ok(Record::default()), "an unknown field");
        assert_eq!(Record::decode(&[9, 1, 2]), Err(UnreadableRecord::UnknownFormat(9)));
        assert_eq!(Record::decode(b"L\x09"), Err(UnreadableRecord::UnknownFormat(9)));
        assert_eq!(Record::decode(b""), Err(UnreadableRecord::Damaged));
        assert_eq!(Record::decode(&[1, 0x0a, 2, 0x0a, 0]), Err(UnreadableRecord::Damaged), "an id of no bytes");
    }
}
